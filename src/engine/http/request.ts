/** A request as the client sends it, made from what a script gives to `mix.http.request`. */

import { json } from '../../codecs/json.js';
import { MoonwireError } from '../../errors.js';
import { numberToString } from '../../script/numbers.js';
import { parseGoDuration } from './go-duration.js';

/** What is sent. */
export interface HttpRequest {
  /** In capitals. */
  method: string;
  /** http or https, without user and password. */
  url: URL;
  /** By lower-case name: the name as it is to be written, and the value, a one-byte string. */
  headers: Map<string, readonly [name: string, value: string]>;
  body: Uint8Array | undefined;
  /** Seconds for everything, redirects and the whole body included. */
  timeout: number;
}

/** Longest URL, in characters, query included. */
export const MAX_URL = 8192;
/** Most bytes of all headers and cookies together. */
export const MAX_HEADERS = 32 * 1024;
/** Most bytes of a request's body. */
export const MAX_BODY = 1024 * 1024;
export const DEFAULT_TIMEOUT = 30;
export const MAX_TIMEOUT = 86_400;

/** RFC 9110 §5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}$/;
/** RFC 9110 §5.5: no control character, hence no way to add a header by a value. */
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
/** As a field value, without what ends a cookie (RFC 6265 §4.1.1, with the spaces and commas that are in use). */
const COOKIE_VALUE = /^[\x20-\x3a\x3c-\x7e\x80-\xff]*$/;
/** Headers that belong to the connection and the framing of the body, which are the client's own affair. */
const OWN_HEADERS = new Set([
  'connection',
  'content-length',
  'expect',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);
const OPTIONS = ['query', 'cookies', 'body', 'headers', 'timeout', 'auth'];

type Fields = Readonly<Record<string, unknown>>;

/**
 * Checks and completes a request. `options` is a table converted deeply. Throws MoonwireError `invalid_argument` or
 * `too_large`, naming the option; never repeats a value, which may be a secret.
 */
export function buildRequest(method: string, address: string, options: unknown): HttpRequest {
  const given = fields('options', options);
  for (const name of Object.keys(given)) {
    if (!OPTIONS.includes(name)) throw invalid(`there is no option ${name} (known: ${OPTIONS.join(', ')})`);
  }
  const url = parseUrl(address);
  const headers = readHeaders(given.headers);
  const auth = readAuth(given.auth) ?? takeCredentials(url);
  if (auth !== undefined) headers.set('authorization', ['Authorization', auth]);
  url.username = url.password = '';
  addQuery(url, given.query);
  addCookies(headers, given.cookies);
  const body = readBody(given.body, headers);
  if (!headers.has('user-agent')) headers.set('user-agent', ['User-Agent', 'moonwire']);
  let size = 0;
  for (const [name, text] of headers.values()) size += name.length + text.length + 4;
  if (size > MAX_HEADERS) throw new MoonwireError('too_large', `headers have at most ${MAX_HEADERS} bytes`);
  return { method: checkMethod(method), url, headers, body, timeout: readTimeout(given.timeout) };
}

function invalid(message: string): MoonwireError {
  return new MoonwireError('invalid_argument', message);
}

/** A table with names; an empty table comes as an empty list. */
function fields(what: string, given: unknown): Fields {
  if (given === undefined || (Array.isArray(given) && given.length === 0)) return {};
  const isTable = typeof given === 'object' && given !== null;
  if (!isTable || Array.isArray(given) || given instanceof Uint8Array) {
    throw invalid(`${what} must be a table of names to values`);
  }
  return given as Fields;
}

/** A string, number or boolean of a script as the bytes it stands for; undefined for anything else. */
function bytesOf(given: unknown): Buffer | undefined {
  if (typeof given === 'string') return Buffer.from(given, 'utf8');
  if (typeof given === 'number') return Buffer.from(numberToString(given));
  if (typeof given === 'boolean') return Buffer.from(String(given));
  return given instanceof Uint8Array ? Buffer.from(given.buffer, given.byteOffset, given.length) : undefined;
}

function oneByte(given: unknown): string | undefined {
  return bytesOf(given)?.toString('latin1');
}

function checkMethod(method: string): string {
  const upper = method.toUpperCase();
  // CONNECT asks for a tunnel, not for an answer.
  if (!TOKEN.test(upper) || upper === 'CONNECT') throw invalid('the method must be one such as GET or POST');
  return upper;
}

/** An http or https URL. Throws MoonwireError `invalid_argument`. */
export function parseUrl(address: string, base?: URL): URL {
  if (address.length > MAX_URL) throw invalid(`the url has at most ${MAX_URL} characters`);
  let url: URL;
  try {
    url = new URL(address, base);
  } catch {
    throw invalid('the url must be one such as http://host:port/path');
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw invalid('the url must be http or https');
  return url;
}

function takeCredentials(url: URL): string | undefined {
  if (url.username === '' && url.password === '') return undefined;
  try {
    return basic(decodeURIComponent(url.username), decodeURIComponent(url.password));
  } catch {
    throw invalid('the user and password of the url must be UTF-8');
  }
}

function readAuth(given: unknown): string | undefined {
  if (given === undefined) return undefined;
  const auth = fields('auth', given);
  const username = bytesOf(auth.username);
  const password = bytesOf(auth.password);
  if (!username || !password || username.includes(':')) {
    throw invalid('auth must be a table with username (without a colon) and password');
  }
  return basic(username, password);
}

/** RFC 7617 §2. */
function basic(username: string | Buffer, password: string | Buffer): string {
  const pair = Buffer.concat([Buffer.from(username), Buffer.from(':'), Buffer.from(password)]);
  return `Basic ${pair.toString('base64')}`;
}

function readHeaders(given: unknown): HttpRequest['headers'] {
  const headers: HttpRequest['headers'] = new Map();
  for (const [name, item] of Object.entries(fields('headers', given))) {
    const text = oneByte(item);
    if (!TOKEN.test(name)) throw invalid(`${JSON.stringify(name.slice(0, 64))} is not a header's name`);
    if (text === undefined || !FIELD_VALUE.test(text)) {
      throw invalid(`header ${name} must be a string without control characters`);
    }
    if (!OWN_HEADERS.has(name.toLowerCase())) headers.set(name.toLowerCase(), [name, text]);
  }
  return headers;
}

function addCookies(headers: HttpRequest['headers'], given: unknown): void {
  const pairs = Object.entries(fields('cookies', given)).map(([name, item]) => {
    const text = oneByte(item);
    if (!TOKEN.test(name)) throw invalid(`${JSON.stringify(name.slice(0, 64))} is not a cookie's name`);
    if (text === undefined || !COOKIE_VALUE.test(text)) {
      throw invalid(`cookie ${name} must be a string without semicolons and control characters`);
    }
    return `${name}=${text}`;
  });
  if (pairs.length === 0) return;
  const own = headers.get('cookie');
  headers.set('cookie', ['Cookie', [...(own ? [own[1]] : []), ...pairs].join('; ')]);
}

function addQuery(url: URL, given: unknown): void {
  if (given === undefined) return;
  const text = typeof given === 'string' ? given.replace(/^\?/, '') : encodeQuery(fields('query', given));
  if (text === '') return;
  url.search = url.search === '' ? text : `${url.search}&${text}`;
  if (url.href.length > MAX_URL) throw invalid(`the url has at most ${MAX_URL} characters`);
}

function encodeQuery(query: Fields): string {
  return Object.entries(query)
    .flatMap(([name, item]) => (Array.isArray(item) ? item : [item]).map((one) => [name, one] as const))
    .map(([name, one]) => {
      const bytes = bytesOf(one);
      if (!bytes) throw invalid(`query ${name} must be a string, number or boolean, or a list of them`);
      return `${encodeURIComponent(name)}=${percentEncode(bytes)}`;
    })
    .join('&');
}

/** RFC 3986 §2.1; all but its unreserved characters. */
function percentEncode(bytes: Buffer): string {
  return bytes
    .toString('latin1')
    .replace(
      /[^A-Za-z0-9._~-]/g,
      (char) => `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
    );
}

function readBody(given: unknown, headers: HttpRequest['headers']): Uint8Array | undefined {
  if (given === undefined) return undefined;
  let body = bytesOf(given);
  if (!body) {
    body = Buffer.from(json.encode(given));
    if (!headers.has('content-type')) headers.set('content-type', ['Content-Type', 'application/json']);
  }
  if (body.length > MAX_BODY) throw new MoonwireError('too_large', `a body has at most ${MAX_BODY} bytes`);
  return body;
}

function readTimeout(given: unknown): number {
  if (given === undefined) return DEFAULT_TIMEOUT;
  const seconds = typeof given === 'string' ? parseGoDuration(given) : given;
  if (typeof seconds === 'number' && seconds > 0 && seconds <= MAX_TIMEOUT) return seconds;
  throw invalid(`timeout must be seconds or a duration such as "500ms" or "1m30s", up to ${MAX_TIMEOUT} s`);
}
