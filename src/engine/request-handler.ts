/** `on_request`: what a script answers to a request, whatever protocol it came by (CoAP, HTTP). */

import { json as jsonCodec } from '../codecs/json.js';
import { ERROR_CODES, Failure, MoonwireError } from '../errors.js';
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

/** The fields of an answer that are the same in every protocol; undefined where the script did not give them. */
export interface AnswerFields {
  /** Of HTTP, 200 to 599. */
  readonly status: number | undefined;
  readonly body: Uint8Array | undefined;
  readonly contentType: string | undefined;
  /** Of the protocol that has them. */
  readonly headers: unknown;
}

/**
 * Reads `{status, body | json, content_type, headers}`; anything else than a table is a body. Throws MoonwireError
 * `invalid_argument`.
 */
export function answerFields({ value }: Answer): AnswerFields {
  if (!isFields(value))
    return { status: undefined, body: bytesOf(value), contentType: undefined, headers: undefined };
  const { status, body, json, content_type: contentType, headers } = value;
  if (status !== undefined && !(isInteger(status) && status >= 200 && status <= 599))
    throw new MoonwireError('invalid_argument', 'a status is a whole number of 200 to 599');
  if (contentType !== undefined && typeof contentType !== 'string')
    throw new MoonwireError('invalid_argument', 'a content type is a string');
  const document = json === undefined ? undefined : jsonCodec.encode(json, undefined);
  return {
    status,
    body: bytesOf(body) ?? document,
    contentType: contentType ?? (document && 'application/json'),
    headers,
  };
}

/** Whether a script answered with fields, and not with a body; Lua's empty table comes as an empty list. */
export function isFields(value: unknown): value is Readonly<Record<string, unknown>> {
  if (Array.isArray(value)) return value.length === 0;
  return typeof value === 'object' && value !== null && !(value instanceof Uint8Array);
}

/** Adds `name=value` of a query; one without a value is true. */
export function addQuery(
  query: Record<string, unknown>,
  item: string,
  decode: (text: string) => string = String,
): void {
  const at = item.indexOf('=');
  Object.defineProperty(query, decode(at < 0 ? item : item.slice(0, at)), {
    value: at < 0 ? true : decode(item.slice(at + 1)),
    enumerable: true,
    configurable: true,
  });
}

function isInteger(value: unknown): value is number {
  return Number.isInteger(value);
}

function bytesOf(value: unknown): Uint8Array | undefined {
  if (value === undefined || value === null || value instanceof Uint8Array) return value ?? undefined;
  if (typeof value === 'string') return Buffer.from(value);
  if (typeof value === 'number') return Buffer.from(String(value));
  throw new MoonwireError('invalid_argument', `a body is a string, not a ${typeof value}`);
}

/** The HTTP status of a failure; CoAP's codes are the same numbers (RFC 7252, 12.1.2). */
export function statusOf({ code }: Failure): number {
  return ERROR_CODES[code] || 500;
}
