/** CoAP messages (RFC 7252) as a server reads and writes them: requests for scripts, answers of scripts. */

import { coap } from '../../codecs/coap.js';
import { CODES, OPTION_NUMBERS } from '../../codecs/coap_numbers.js';
import { Failure } from '../../errors.js';
import { type Answer, addQuery, answerFields, isFields, statusOf } from '../request-handler.js';

/** A message as the codec gives it. */
export interface CoapMessage {
  readonly type: 'CON' | 'NON' | 'ACK' | 'RST';
  readonly code: string;
  readonly message_id: number;
  readonly token: Uint8Array;
  readonly options: readonly CoapOption[];
  readonly payload: Uint8Array;
}

export interface CoapOption {
  readonly number: number;
  readonly name?: string;
  readonly value: Uint8Array;
}

/** Methods by their codes. */
const METHODS = new Map([...CODES].map(([name, code]) => [`0.0${code}`, name]));
const option = (name: string): number => OPTION_NUMBERS.get(name)!;
const [PATH, QUERY, CONTENT_FORMAT, ACCEPT] = ['Uri-Path', 'Uri-Query', 'Content-Format', 'Accept'].map(
  option,
);
/** Critical options (odd numbers) that are understood; another one makes a request a bad one (5.4.1). */
const UNDERSTOOD = new Set(
  ['If-Match', 'Uri-Host', 'If-None-Match', 'Uri-Port', 'Uri-Path', 'Uri-Query', 'Accept'].map(option),
);
const PROXY = new Set(['Proxy-Uri', 'Proxy-Scheme'].map(option));

/** Reads a datagram. Throws MoonwireError `decode_error`. */
export function readMessage(datagram: Uint8Array): CoapMessage {
  return coap.decode(datagram) as CoapMessage;
}

/** Writes a message; throws MoonwireError `invalid_argument` for what is none. */
export function writeMessage(message: object): Uint8Array {
  return coap.encode(message) as Uint8Array;
}

/** What a code is: a request, a response, nothing at all, or of a class that is reserved. */
export function kindOf(code: string): 'request' | 'response' | 'empty' | 'reserved' {
  if (code === '0.00') return 'empty';
  if (code.startsWith('0.')) return 'request';
  return /^[245]\./.test(code) ? 'response' : 'reserved';
}

/** Why a request cannot be answered by a script; its code. */
export function refusalOf({ code, options }: CoapMessage): { code: string; detail: string } | undefined {
  if (!METHODS.has(code)) return { code: '4.05', detail: `no method ${code}` };
  for (const { number } of options) {
    if (PROXY.has(number)) return { code: '5.05', detail: 'this is no proxy' };
    if (number % 2 === 1 && !UNDERSTOOD.has(number)) return { code: '4.02', detail: `option ${number}` };
  }
  return undefined;
}

/** A request as `on_request` gets it. */
export function requestFacts({ type, code, token, options, payload }: CoapMessage): object {
  const path: string[] = [];
  const query: Record<string, unknown> = {};
  let contentFormat: number | undefined;
  let accept: number | undefined;
  for (const { number, value } of options) {
    if (number === PATH) path.push(text(value));
    else if (number === QUERY) addQuery(query, text(value));
    else if (number === CONTENT_FORMAT) contentFormat = uint(value);
    else if (number === ACCEPT) accept = uint(value);
  }
  return {
    protocol: 'coap',
    method: METHODS.get(code),
    path: `/${path.join('/')}`,
    query,
    content_format: contentFormat,
    accept,
    content_type: MEDIA_TYPES.get(contentFormat),
    body: payload,
    payload,
    confirmable: type === 'CON',
    token,
    options: options.map(({ number, name, value }) => ({ number, name, value })),
  };
}

/** Media types by their numbers (RFC 7252, 12.3, and the IANA registry), for scripts that speak HTTP, too. */
const MEDIA_TYPES = new Map<number | undefined, string>([
  [0, 'text/plain;charset=utf-8'],
  [41, 'application/xml'],
  [42, 'application/octet-stream'],
  [50, 'application/json'],
  [60, 'application/cbor'],
  [110, 'application/senml+json'],
  [112, 'application/senml+cbor'],
]);
const FORMATS = new Map([...MEDIA_TYPES].map(([number, type]) => [plainType(type), number]));

/** Codes of answers that name none, by method. */
const DONE: Record<string, string> = { '0.01': '2.05', '0.04': '2.02', '0.05': '2.05' };

/** Fields of a response that a script may give, beside those that HTTP has, too. */
interface Given {
  code?: unknown;
  payload?: unknown;
  content_format?: unknown;
  max_age?: unknown;
  etag?: unknown;
  options?: unknown;
}

/** The response to a request, without type and id. What a script gave wrongly is thrown as `invalid_argument`. */
export function responseTo(request: CoapMessage, answer: Answer | Failure): object {
  const { token } = request;
  if (answer instanceof Failure) {
    return { code: dotted(statusOf(answer)), token, payload: answer.message };
  }
  const { status, body, contentType } = answerFields(answer);
  const given: Given = isFields(answer.value) ? answer.value : {};
  const options = Array.isArray(given.options) ? [...given.options] : [];
  const add = (name: string, item: unknown) => item !== undefined && options.push({ name, value: item });
  add('Content-Format', given.content_format ?? (contentType && FORMATS.get(plainType(contentType))));
  add('Max-Age', given.max_age);
  add('ETag', given.etag);
  const code = given.code ?? (status && codeOf(status, request)) ?? done(request);
  return { code: String(code), token, options, payload: given.payload ?? body ?? '' };
}

/** The code of an answer that succeeded and names none. */
function done({ code }: CoapMessage): string {
  return DONE[code] ?? '2.04';
}

/** The code for a status of HTTP: errors have the same numbers; 200 and 204 say no more than that it is done. */
function codeOf(status: number, request: CoapMessage): string {
  if (status === 201) return '2.01';
  if (status < 300) return done(request);
  return dotted(status < 400 ? 203 : status);
}

function dotted(status: number): string {
  return `${Math.floor(status / 100)}.${String(status % 100).padStart(2, '0')}`;
}

/** A media type without blanks. */
function plainType(type: string): string {
  return type.replaceAll(' ', '').toLowerCase();
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');
}

function uint(bytes: Uint8Array): number | undefined {
  return bytes.length > 4 ? undefined : bytes.reduce((value, byte) => value * 256 + byte, 0);
}
