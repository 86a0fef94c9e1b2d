/**
 * The HTTP client behind `mix.http.request`: one for an engine, bounded in time, size and number. It is Node's own,
 * loaded with the first request.
 */

import type { Agent, IncomingMessage } from 'node:http';
import { ChunkQueue } from '../../bytes/chunks.js';
import { MoonwireError } from '../../errors.js';
import { socketError, systemCode } from '../../transports/failure.js';
import { type HttpRequest, parseUrl } from './request.js';

/** What came back. Text is one-byte strings, as on the wire. */
export interface HttpResponse {
  status: number;
  /** Where the request ended after redirects, without credentials. */
  url: string;
  /** By canonical name (`Content-Type`). */
  headers: Map<string, string>;
  cookies: Map<string, string>;
  body: Uint8Array;
}

/** Bounds of a client. */
export interface HttpLimits {
  /** Largest body of a response, in bytes. */
  bodyBytes: number;
  redirects: number;
  /** Requests under way at once. */
  concurrent: number;
}

/** What happened since the start; names are metric labels. */
export interface HttpCounters {
  /** Requests begun, those that ended without a response, and those refused because too many were under way. */
  requests: number;
  failed: number;
  refused: number;
}

/** Default bounds: a body as large as a Lua string may be. */
export const HTTP_LIMITS: HttpLimits = { bodyBytes: 1024 * 1024, redirects: 10, concurrent: 64 };
/** An idle connection is closed after it. */
const IDLE_MS = 15_000;
/** Idle connections kept to one host. */
const IDLE_CONNECTIONS = 4;
const REDIRECTS = [301, 302, 303, 307, 308];
/** RFC 9110 §9.2.2: doing it twice is as good as once. */
const IDEMPOTENT = ['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'];

/** Node's client for one scheme, with its kept connections. */
interface Scheme {
  request: typeof import('node:http').request;
  agent: Agent;
}

export class HttpClient {
  readonly counters: HttpCounters = { requests: 0, failed: 0, refused: 0 };
  private readonly limits: HttpLimits;
  private readonly active = new Set<AbortController>();
  private readonly schemes = new Map<string, Scheme>();
  private closed = false;

  constructor(limits: Partial<HttpLimits> = {}) {
    this.limits = { ...HTTP_LIMITS, ...limits };
  }

  /**
   * Sends a request and follows redirects. Throws MoonwireError `overloaded` at once when too many are under way;
   * rejects with `timeout`, `not_connected`, `not_found` (the host), `too_large`, `decode_error` (no HTTP) or
   * `invalid_argument` (where a redirect leads). Once the client is closed, no request settles any more: there is
   * nobody left to be told.
   */
  request(request: HttpRequest): Promise<HttpResponse> {
    if (this.closed) return new Promise(() => {});
    if (this.active.size >= this.limits.concurrent) {
      this.counters.refused++;
      throw new MoonwireError(
        'overloaded',
        `${this.limits.concurrent} requests are under way, the most allowed`,
      );
    }
    this.counters.requests++;
    const abort = new AbortController();
    const late = `${hostOf(request.url)} gave no complete answer within ${request.timeout} s`;
    const timer = setTimeout(
      () => abort.abort(new MoonwireError('timeout', late)),
      Math.max(1, request.timeout * 1000),
    );
    this.active.add(abort);
    return this.follow(request, abort.signal)
      .catch((error) => {
        this.counters.failed++;
        throw error;
      })
      .finally(() => {
        clearTimeout(timer);
        this.active.delete(abort);
        return this.closed ? new Promise(() => {}) : undefined;
      });
  }

  /** Gives up what is under way and closes all connections. */
  close(): void {
    this.closed = true;
    for (const abort of this.active) abort.abort(new MoonwireError('closed', 'the engine stops'));
    for (const { agent } of this.schemes.values()) agent.destroy();
  }

  private async follow(first: HttpRequest, signal: AbortSignal): Promise<HttpResponse> {
    let request = first;
    for (let redirects = 0; ; redirects++) {
      const where = hostOf(request.url);
      try {
        const response = await this.send(request, signal);
        const next = redirect(request, response);
        if (!next) return await this.read(request, response);
        response.destroy();
        if (redirects === this.limits.redirects) {
          throw new MoonwireError(
            'too_large',
            `more than ${this.limits.redirects} redirects, the last by ${where}`,
          );
        }
        request = next;
      } catch (error) {
        throw signal.aborted ? signal.reason : httpError(error, where);
      }
    }
  }

  /** Resolves with the head of the response. */
  private async send(request: HttpRequest, signal: AbortSignal): Promise<IncomingMessage> {
    const scheme = await this.scheme(request.url.protocol);
    signal.throwIfAborted();
    const { method, url, body } = request;
    const headers = Object.fromEntries(request.headers.values());
    if (body) headers['Content-Length'] = String(body.length);
    const attempt = (agent: Agent | false): Promise<IncomingMessage> =>
      new Promise((resolve, reject) => {
        const sent = scheme.request(url, { method, headers, agent, signal });
        let failure: unknown;
        let answered = false;
        sent.on('response', (response) => {
          answered = true;
          resolve(response);
        });
        sent.on('error', (error) => {
          failure = error;
        });
        // Comes last in any case, and alone when the server switches to another protocol.
        sent.on('close', () => {
          if (answered) return;
          // A kept connection may have been closed by the server while the request was on its way.
          const isStale = sent.reusedSocket && ['ECONNRESET', 'EPIPE'].includes(systemCode(failure));
          if (isStale && IDEMPOTENT.includes(method) && !signal.aborted) attempt(false).then(resolve, reject);
          else reject(failure ?? new MoonwireError('decode_error', `${hostOf(url)} gave no HTTP response`));
        });
        sent.end(body);
      });
    return attempt(scheme.agent);
  }

  private async scheme(protocol: string): Promise<Scheme> {
    let scheme = this.schemes.get(protocol);
    if (!scheme) {
      const { request, Agent } =
        protocol === 'https:' ? await import('node:https') : await import('node:http');
      const agent = new Agent({ keepAlive: true, maxFreeSockets: IDLE_CONNECTIONS, timeout: IDLE_MS });
      scheme = this.schemes.get(protocol) ?? { request, agent };
      this.schemes.set(protocol, scheme);
    }
    return scheme;
  }

  private async read({ method, url }: HttpRequest, response: IncomingMessage): Promise<HttpResponse> {
    const { bodyBytes } = this.limits;
    const tooLarge = new MoonwireError(
      'too_large',
      `${hostOf(url)} answered with more than ${bodyBytes} bytes`,
    );
    if (Number(response.headers['content-length']) > bodyBytes && method !== 'HEAD') {
      response.destroy();
      throw tooLarge;
    }
    const body = new ChunkQueue();
    for await (const chunk of response as AsyncIterable<Buffer>) {
      body.push(chunk);
      // Leaving the loop destroys the response.
      if (body.length > bodyBytes) throw tooLarge;
    }
    const headers = new Map<string, string>();
    for (const [name, text] of Object.entries(response.headers)) {
      headers.set(canonicalName(name), Array.isArray(text) ? text[0]! : text!);
    }
    const cookies = new Map((response.headers['set-cookie'] ?? []).map(readCookie));
    return { status: response.statusCode!, url: url.href, headers, cookies, body: body.shift(body.length) };
  }
}

/** "host:port", for messages: a whole URL may hold secrets. */
function hostOf(url: URL): string {
  return url.port === '' ? `${url.hostname}:${url.protocol === 'https:' ? 443 : 80}` : url.host;
}

function httpError(error: unknown, where: string): MoonwireError {
  const code = systemCode(error);
  if (code === 'HPE_HEADER_OVERFLOW')
    return new MoonwireError('too_large', `${where} answered with too many headers`);
  if (code.startsWith('HPE_'))
    return new MoonwireError('decode_error', `${where} does not answer in HTTP (${code})`);
  return socketError(error, where);
}

/** The request a redirect asks for (RFC 9110 §15.4); undefined when the response is no redirect. */
function redirect(request: HttpRequest, response: IncomingMessage): HttpRequest | undefined {
  const { location } = response.headers;
  const status = response.statusCode!;
  if (location === undefined || !REDIRECTS.includes(status)) return undefined;
  // Node reads a header byte by byte; a path may hold UTF-8 that the server did not escape.
  const url = parseUrl(Buffer.from(location, 'latin1').toString('utf8'), request.url);
  url.username = url.password = '';
  const headers = new Map(request.headers);
  if (url.origin !== request.url.origin) {
    for (const secret of ['authorization', 'cookie', 'proxy-authorization', 'host']) headers.delete(secret);
  }
  const becomesGet = status === 303 ? request.method !== 'HEAD' : status < 303 && request.method === 'POST';
  if (!becomesGet) return { ...request, url, headers };
  headers.delete('content-type');
  return { ...request, method: 'GET', url, headers, body: undefined };
}

/** `content-type` as Go writes it, and CONNMIX scripts look it up: `Content-Type`. */
function canonicalName(name: string): string {
  return name.replace(/(^|-)[a-z]/g, (start) => start.toUpperCase());
}

/** Name and value of a `Set-Cookie` field. */
function readCookie(field: string): [string, string] {
  const [pair = ''] = field.split(';', 1);
  const at = pair.indexOf('=');
  if (at < 0) return ['', pair.trim()];
  return [
    pair.slice(0, at).trim(),
    pair
      .slice(at + 1)
      .trim()
      .replace(/^"(.*)"$/, '$1'),
  ];
}
