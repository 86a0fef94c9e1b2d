/** HTTP messages as a server reads and writes them: requests for scripts, answers of scripts. */

import { isUtf8 } from 'node:buffer';
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { Failure, MoonwireError } from '../../errors.js';
import { type Answer, addQuery, answerFields, statusOf } from '../request-handler.js';

/** What is sent back. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: OutgoingHttpHeaders;
  readonly body: Uint8Array;
}

/** Headers that say where a message ends, or whether the connection does: never the script's affair. */
const FRAMING = new Set([
  'connection',
  'content-length',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);
const TEXT = 'text/plain; charset=utf-8';
const NOTHING = Buffer.alloc(0);

/** A request as `on_request` gets it. */
export function requestFacts(request: IncomingMessage, body: Uint8Array): object {
  const { method, httpVersion, headers } = request;
  const uri = utf8(request.url ?? '/');
  const target = originForm(uri);
  const at = target.indexOf('?');
  const queryString = at < 0 ? '' : target.slice(at + 1);
  const query: Record<string, unknown> = {};
  for (const item of queryString.split('&')) if (item !== '') addQuery(query, item, decoded);
  return {
    protocol: 'http',
    method,
    path: decoded(at < 0 ? target : target.slice(0, at)),
    query,
    query_string: queryString,
    uri,
    version: httpVersion,
    headers: Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name, utf8([value].flat().join(', '))]),
    ),
    content_type: headers['content-type'],
    body,
  };
}

/** The answer to a request. What a script gave wrongly is thrown as `invalid_argument`. */
export function answerTo(answer: Answer | Failure): HttpAnswer {
  if (answer instanceof Failure) {
    const body = Buffer.from(`${answer.message}\n`);
    return { status: statusOf(answer), headers: { 'Content-Type': TEXT }, body };
  }
  const given = answerFields(answer);
  const { body = NOTHING, status = given.body === undefined ? 204 : 200 } = given;
  return {
    status,
    headers: {
      ...(body.length > 0 && { 'Content-Type': given.contentType ?? typeOf(body) }),
      ...checkedHeaders(given.headers),
    },
    body: status === 204 || status === 304 ? NOTHING : body,
  };
}

function typeOf(body: Uint8Array): string {
  return isUtf8(body) ? TEXT : 'application/octet-stream';
}

function checkedHeaders(headers: unknown): OutgoingHttpHeaders {
  const checked: OutgoingHttpHeaders = {};
  for (const [name, value] of Object.entries(Object(headers ?? {}) as Record<string, unknown>)) {
    if (FRAMING.has(name.toLowerCase())) throw invalid(`header ${name} is not for scripts to set`);
    const values = Array.isArray(value) ? value : [value];
    if (!values.every((item) => typeof item === 'string' || typeof item === 'number'))
      throw invalid(`header ${name} must be a string, a number or a list of them`);
    const texts = values.map(String);
    checked[name.toLowerCase() === 'content-type' ? 'Content-Type' : name] =
      texts.length === 1 ? texts[0]! : texts;
  }
  return checked;
}

/** Path and query of a target, also of one that names the host (RFC 9112, 3.2). */
function originForm(uri: string): string {
  return uri.replace(/^https?:\/\/[^/?]*/i, '').replace(/^(?=\?|$)/, '/');
}

/** Without percent-encoding, where it is one of UTF-8. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** What Node read byte by byte, as the text it is. */
function utf8(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString('utf8');
}

function invalid(message: string): MoonwireError {
  return new MoonwireError('invalid_argument', message);
}
