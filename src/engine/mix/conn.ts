/** The methods of a client, `conn:…`. Those of CONNMIX have its names, arguments and results. */

import { messageOf } from '../../errors.js';
import { type ApiFunction, Failure, optional, rest, value } from '../../script/api.js';
import type { LuaValue } from '../../script/executor.js';
import { bytesOf } from '../../script/fengari.js';
import type { Subscriber } from '../channels.js';
import type { Client } from '../client.js';
import type { Conn } from '../conn.js';
import { checkAttach } from '../devices.js';

/** What a close frame has room for (RFC 6455, 5.5). */
const MAX_CLOSE_REASON = 123;

const deviceId = value('device_id', 'text', '1 to 256 bytes');

function subscriberOf(client: Client): Subscriber {
  return client.native?.subscriberOf(client) ?? client;
}

export const connMethods: ApiFunction<Conn>[] = [
  {
    name: 'conn:client_id',
    doc: 'The id of this client, a decimal string that is never used again.',
    params: [],
    returns: [value('id', 'string')],
    example: 'function on_message(msg, conn) print(conn:client_id()) end',
    run: ({ client }) => String(client.id),
  },
  {
    name: 'conn:remote_addr',
    doc: 'The address of the peer, "host:port"; the path of a serial port.',
    params: [],
    returns: [value('address', 'text')],
    example: 'print(conn:remote_addr())',
    run: ({ client }) => client.connection.remote,
  },
  {
    name: 'conn:send',
    doc:
      'Sends to the peer. A string goes out as these bytes; a table is encoded by the protocol first. Returns nil, ' +
      'or an error: `closed`, or `queue_full` when the peer does not take what it was sent. A WebSocket carries it ' +
      'as text when it is UTF-8 and not said to be binary. Once something was requested of this client, it takes its ' +
      'turn on the bus as a command that nobody answers; what does not leave then is logged.',
    params: [
      value('data', 'raw', 'string or table'),
      optional('type', 'string', 'for WebSocket: "text" or "binary"'),
    ],
    returns: [],
    failure: 'error',
    example: 'local err = conn:send("hello\\r\\n")\nif err then mix.log(mix.WARN, err) end',
    run: ({ client, program }, data: LuaValue, type?: string) => {
      if (type !== undefined && type !== 'text' && type !== 'binary')
        return new Failure(`invalid_argument: the type is "text" or "binary", not "${type}"`);
      const { native } = client;
      if (native) return native.sendFromScript(client, data, program);
      if (typeof data === 'string') return client.send(bytesOf(data), type);
      const { port } = client;
      if (port) return client.sendInTurn(() => port.encode(data, program), type);
      const bytes = program.protocolFor(client.connection).encode(data, program.peerOf(client), true);
      return bytes instanceof Failure ? bytes : client.send(bytes, type);
    },
  },
  {
    name: 'conn:close',
    doc:
      'Closes the connection once what was sent has left; `on_close` runs then. A WebSocket tells its peer `code` and ' +
      '`reason`; for others they mean nothing. Returns nil, or an error: `closed`.',
    params: [
      optional('code', 'integer', '1000 (normal, the default) or 3000 to 4999'),
      optional('reason', 'text', 'up to 123 bytes'),
    ],
    returns: [],
    failure: 'error',
    example: 'conn:close(4000, "see you")',
    run: ({ client }, code?: number, reason?: string) => {
      if (code !== undefined && code !== 1000 && !(code >= 3000 && code <= 4999))
        return new Failure(`invalid_argument: a close code is 1000 or 3000 to 4999, not ${code}`);
      if (reason !== undefined && Buffer.byteLength(reason) > MAX_CLOSE_REASON)
        return new Failure(`invalid_argument: the reason has at most ${MAX_CLOSE_REASON} bytes`);
      return client.closed ? new Failure('closed: the client is closed') : client.end(code, reason);
    },
  },
  {
    name: 'conn:clear_buffer',
    doc: 'Drops received bytes that were not consumed yet. Returns how many.',
    params: [],
    returns: [value('n', 'integer')],
    example: 'conn:clear_buffer()',
    run: ({ client }) => client.clearBuffer(),
  },
  {
    name: 'conn:context',
    doc: 'What `set_context` and `set_context_value` kept for this client, as a new table.',
    params: [],
    returns: [value('context', 'value')],
    example: 'print(conn:context().user)',
    run: ({ client }) => client.context.values,
  },
  {
    name: 'conn:context_value',
    doc: 'One value of the context; nil when it is not set.',
    params: [value('key', 'text')],
    returns: [value('value', 'value')],
    example: 'local user = conn:context_value("user")',
    run: ({ client }, key: string) => client.context.values.get(key),
  },
  {
    name: 'conn:wait_context_value',
    doc:
      'The value of a context key once it is set; waits until then, and with it the messages of this client. ' +
      'Returns nil and an error when the client closes before.',
    params: [value('key', 'text')],
    returns: [value('value', 'value')],
    waits: true,
    example: 'local user, err = conn:wait_context_value("user")',
    run: ({ client }, key: string) =>
      client.context.when(key).catch((error) => new Failure(`closed: ${messageOf(error)}`)),
  },
  {
    name: 'conn:set_context',
    doc: 'Replaces the context by a table of plain values.',
    params: [value('context', 'value')],
    returns: [],
    example: 'conn:set_context({ user = "ann" })',
    run: ({ client }, context: unknown) => client.context.replace(Object(context)),
  },
  {
    name: 'conn:set_context_value',
    doc: 'Sets one value of the context, plain data; nil removes it.',
    params: [value('key', 'text'), optional('value', 'value')],
    returns: [],
    example: 'conn:set_context_value("user", "ann")',
    run: ({ client }, key: string, item: unknown) => client.context.set(key, item),
  },
  {
    name: 'conn:subscribe',
    doc:
      'Subscribes this client to channels: it gets what is published there, from any node. Returns nil, or an ' +
      'error: `closed`, or a limit (names of 1 to 256 bytes, 10,000 channels a client).',
    params: [value('channel', 'text'), rest('channels', 'text')],
    returns: [],
    failure: 'error',
    example: 'conn:subscribe("room:1", "news")',
    run: ({ client }, ...channels: string[]) =>
      client.station.engine.channels.subscribe(subscriberOf(client), channels),
  },
  {
    name: 'conn:unsubscribe',
    doc: 'Takes subscriptions back. Returns nil.',
    params: [value('channel', 'text'), rest('channels', 'text')],
    returns: [],
    failure: 'error',
    example: 'conn:unsubscribe("room:1")',
    run: ({ client }, ...channels: string[]) =>
      client.station.engine.channels.unsubscribe(subscriberOf(client), channels),
  },
  {
    name: 'conn:attach',
    doc:
      'Says that a device is reached through this client; a bus has many. The newest attach of a device wins. ' +
      'Returns true, or nil and an error.',
    params: [deviceId, optional('info', 'value', 'facts about the device')],
    returns: [value('ok', 'boolean')],
    example: 'conn:attach(msg.device_id)',
    run: ({ client }, id: string) => {
      const refused = checkAttach(client, id);
      if (refused) return refused;
      client.station.engine.attach(client, id);
      return true;
    },
  },
  {
    name: 'conn:detach',
    doc: 'Takes an `attach` back.',
    params: [deviceId],
    returns: [],
    example: 'conn:detach("358899051021316")',
    run: ({ client }, id: string) => client.station.engine.detach(client, id),
  },
  {
    name: 'conn:device_id',
    doc: 'The first device that was attached to this client; nil when there is none.',
    params: [],
    returns: [value('device_id', 'text')],
    example: 'print(conn:device_id())',
    run: ({ client }) => client.devices?.[0],
  },
];
