/** `conn:request`: one transaction on the bus. */

import { type ApiFunction, Failure, optional, value } from '../../script/api.js';
import type { LuaValue } from '../../script/executor.js';
import { PRIORITIES, type Priority, type RequestOptions } from '../bus/request.js';
import type { Conn } from '../conn.js';
import type { Program } from '../program.js';
import { CommandOf } from './host.js';

const MAX_TIMEOUT = 3600;
const MAX_RETRIES = 10;
const MAX_UNIT = 64;

type Given = Partial<Record<keyof RequestOptions, unknown>>;

function wrong(name: string, range: string): Failure {
  return new Failure(`invalid_argument: ${name} must be ${range}`);
}

function isWithin(given: unknown, low: number, high: number): boolean {
  return given === undefined || (typeof given === 'number' && given >= low && given <= high);
}

/** The unit a message names: its `unit`, or its `device_id`. */
function unitOf({ vm }: Program, data: LuaValue): unknown {
  if (typeof data === 'string') return undefined;
  return vm.field(data, 'unit') ?? vm.field(data, 'device_id');
}

/** The options of a request, checked. */
function optionsOf(program: Program, data: LuaValue, given: Given): RequestOptions | Failure {
  const usual = program.vm.owner instanceof CommandOf ? 'command' : 'request';
  const { timeout, retries, priority = usual, broadcast = false } = given;
  const unit = given.unit ?? unitOf(program, data) ?? '';
  if (!isWithin(timeout, 0.001, MAX_TIMEOUT)) return wrong('timeout', `from 0.001 to ${MAX_TIMEOUT} seconds`);
  if (!isWithin(retries, 0, MAX_RETRIES) || !Number.isInteger(retries ?? 0)) {
    return wrong('retries', `a whole number from 0 to ${MAX_RETRIES}`);
  }
  if (!PRIORITIES.includes(priority as Priority)) return wrong('priority', 'command, request or poll');
  if (typeof broadcast !== 'boolean') return wrong('broadcast', 'true or false');
  if ((typeof unit !== 'string' && typeof unit !== 'number') || String(unit).length > MAX_UNIT) {
    return wrong('unit', `a number or a string of at most ${MAX_UNIT} bytes`);
  }
  return {
    timeout: timeout as number | undefined,
    retries: retries as number | undefined,
    priority: priority as Priority,
    unit: String(unit),
    broadcast,
  };
}

export const requestMethods: ApiFunction<Conn>[] = [
  {
    name: 'conn:request',
    doc:
      'Asks one unit on the bus of this client and waits for its reply: requests of all scripts and links on the bus ' +
      'take turns, commands before requests before polls, units in turn. A string goes out as these bytes; a table is ' +
      'encoded by the protocol. Returns the reply as the protocol decodes it (an exception of the device is a reply ' +
      'too); true for a broadcast; nil and an error: `timeout`, `decode_error` (replies that are spoiled), `closed`, ' +
      '`queue_full`, `overloaded` (the unit does not answer and is left alone for a while), `invalid_argument`. ' +
      'Options: `timeout` (seconds from the end of the request to the begin of the reply), `unit` (default: `unit` or ' +
      '`device_id` of the table), `priority` ("command": the default in on_command, "request": elsewhere, or "poll"), `retries`, `broadcast` (true: ' +
      'nobody answers). Defaults: `bus` of the link.',
    params: [value('data', 'raw', 'string or table'), optional('options', 'options')],
    returns: [value('reply', 'raw')],
    waits: true,
    example:
      'function on_connect(id, conn)\n' +
      '  local reply, err = conn:request({ unit = 1, function_code = 3, address = 0, quantity = 2 }, { timeout = 0.5 })\n' +
      '  if not reply then mix.log(mix.WARN, err) end\nend',
    run: async ({ client, program }, data: LuaValue, given: Given = {}) => {
      if (client.closed) return new Failure('closed: the client is closed');
      if (client.native) return new Failure('invalid_argument: this client speaks a protocol without a bus');
      if (typeof data !== 'string' && program.vm.type(data) !== 'table') {
        return wrong('data', 'a string or a table');
      }
      const options = optionsOf(program, data, Object(given));
      if (options instanceof Failure) return options;
      const port = client.station.engine.portOf(client);
      const reply = await port.bus.request(port, data, options, program);
      return reply instanceof Failure ? reply : port.scriptMessage(reply, program);
    },
  },
];
