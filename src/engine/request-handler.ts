/** `on_request`: what a script answers to a request, whatever protocol it came by (CoAP, HTTP). */

import { ERROR_CODES, Failure } from '../errors.js';
import { fromJs, toJs } from '../script/convert.js';
import type { LuaValue } from '../script/executor.js';
import type { Client } from './client.js';

/** What the script answered: a payload, or a table of fields; undefined: that it is done. */
export interface Answer {
  readonly value: unknown;
}

/**
 * Asks the script, or the program. A {@link Failure} when it returned nil and an error, failed, has no such handler
 * (`not_found`), or made a durable report that is not safe (`overloaded`), so that whoever asks does so again.
 */
export function askScript(client: Client, request: object): Answer | Failure | Promise<Answer | Failure> {
  const { station, program } = client;
  if (station.handlers) return station.handlers.request(client, request);
  const handler = program.handler('on_request');
  if (handler === undefined) return new Failure('not_found: the script answers no requests');
  const { vm } = program;
  const { unsafe } = station.engine;
  unsafe.delete(client);
  const read = (results: readonly LuaValue[] | undefined): Answer | Failure => {
    if (results === undefined) return new Failure('internal: the script failed');
    if (unsafe.has(client)) return new Failure('overloaded: the report could not be kept');
    const [value, error] = results;
    if (value === undefined && error !== undefined) return new Failure(vm.tostring(error));
    try {
      return { value: toJs(vm.values.slot(value)) };
    } catch {
      return new Failure('internal: what the script returned cannot be sent');
    }
  };
  station.counters.messages++;
  client.messages++;
  const message = vm.values.read(fromJs(vm.main, request));
  const results = station.askHandler('on_request', client, handler, [message, client.conn()]);
  return results instanceof Promise ? results.then(read) : read(results);
}

/** The HTTP status of a failure; CoAP's codes are the same numbers (RFC 7252, 12.1.2). */
export function statusOf({ code }: Failure): number {
  return ERROR_CODES[code] || 500;
}
