/** Speaks to the API of a running engine or centre, for the operator's commands. */

import { readFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import type { Address } from '../config/address.js';
import { MoonwireError, messageOf } from '../errors.js';
import { socketError, systemCode } from '../transports/failure.js';

/** Milliseconds an answer, or the beginning of a stream, may take. */
const ANSWER_MS = 15_000;
/** Milliseconds of silence after which a stream counts as broken; its heartbeat comes every 15 s. */
const SILENCE_MS = 45_000;
/** Most bytes of an answer. */
const MAX_ANSWER = 64 * 2 ** 20;
/** Most characters of an event: bytes received at once, as digits, and more than that for a message. */
const MAX_LINE = 2 ** 24;

/** Codes of connections that were open and broke. */
const BROKEN = new Set(['ECONNRESET', 'EPIPE']);

/** The API says no: it was reached, and what was asked for was not done. */
export class ApiRefusal extends Error {
  /** `code`: why, by the codes of the API; undefined when what answered gave none. */
  constructor(
    message: string,
    readonly code?: string,
  ) {
    super(message);
  }
}

/** A server-sent event. */
export interface ApiEvent {
  readonly name: string;
  readonly data: unknown;
}

/** Where an API is. */
export interface ApiAddress extends Address {
  /** It speaks https. */
  readonly tls?: boolean;
}

export class ApiClient {
  private readonly where: string;

  /** `authorization`: the header's value; undefined for an API without users. */
  constructor(
    private readonly address: ApiAddress,
    private readonly authorization: string | undefined,
  ) {
    const { host, port } = address;
    this.where = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  }

  /**
   * The JSON of an answer. Throws {@link ApiRefusal}, and MoonwireError `not_connected` or `timeout` when the API
   * cannot be reached.
   */
  async get(path: string): Promise<Record<string, unknown>> {
    return this.parse(await this.getText(path));
  }

  /** An answer as text; throws as {@link get}. */
  async getText(path: string): Promise<string> {
    return this.bodyOf(await this.open('GET', path));
  }

  /** Deletes what a path names; throws as {@link get}. */
  async delete(path: string): Promise<void> {
    await this.bodyOf(await this.open('DELETE', path));
  }

  /** Makes one of CONNMIX's calls; returns its result `r`. Throws as {@link get}, for its error `E` too. */
  async call(path: string, params: object): Promise<Record<string, unknown>> {
    const answer = this.parse(await this.post(path, JSON.stringify(params)));
    const { E: error, r: result } = answer;
    if (isMap(error)) {
      const message = String(error.m);
      // It may have been done all the same.
      if (message.startsWith('timeout')) throw new MoonwireError('timeout', message);
      throw new ApiRefusal(message);
    }
    return isMap(result) ? result : this.notMoonwire();
  }

  /** Makes something of ours, or renews it; returns what it is. Throws as {@link get}. */
  async create(path: string, params: object): Promise<Record<string, unknown>> {
    return this.parse(await this.post(path, JSON.stringify(params)));
  }

  private async post(path: string, body: string): Promise<string> {
    try {
      return await this.bodyOf(await this.open('POST', path, body));
    } catch (error) {
      if (!(error instanceof MoonwireError) || !BROKEN.has(systemCode(error.cause))) throw error;
      throw new MoonwireError('timeout', `${error.message}; it may have been done all the same`);
    }
  }

  /**
   * Server-sent events until the API ends the stream, or the caller stops iterating. Throws as {@link get}, and
   * {@link ApiRefusal} when the connection is lost.
   */
  async *events(path: string, signal: AbortSignal): AsyncGenerator<ApiEvent> {
    const response = await this.open('GET', path, undefined, signal);
    response.setTimeout(SILENCE_MS, () =>
      response.destroy(new MoonwireError('timeout', `${this.where} is silent`)),
    );
    let name = 'message';
    for await (const line of this.linesOf(response)) {
      if (line === '') name = 'message';
      else if (line.startsWith('event: ')) name = line.slice(7);
      else if (line.startsWith('data: ')) yield { name, data: this.parse(line.slice(6)) };
    }
  }

  /** The lines of an answer as they come. */
  private async *linesOf(response: IncomingMessage): AsyncGenerator<string> {
    let rest = '';
    try {
      for await (const chunk of response.setEncoding('utf8') as AsyncIterable<string>) {
        const lines = (rest + chunk).split('\n');
        rest = lines.pop()!;
        if (rest.length > MAX_LINE) throw new ApiRefusal(`an event is longer than ${MAX_LINE} characters`);
        yield* lines;
      }
    } catch (error) {
      if (error instanceof MoonwireError || error instanceof ApiRefusal) throw error;
      throw new ApiRefusal(`${this.where} ended the connection in the middle`);
    } finally {
      response.destroy();
    }
  }

  /** Sends a request; resolves with a good answer. */
  private async open(
    method: string,
    path: string,
    body?: string,
    signal?: AbortSignal,
  ): Promise<IncomingMessage> {
    const headers = {
      ...(this.authorization !== undefined && { authorization: this.authorization }),
      ...(body !== undefined && {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
      }),
    };
    const { host, port, tls } = this.address;
    const send = tls ? (await import('node:https')).request : request;
    const trust = tls ? trusted(process.env) : {};
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const options = { host, port, path, method, headers, agent: false, signal, ...trust };
      const call = send(options, resolve);
      const late = setTimeout(() => {
        call.destroy(new MoonwireError('timeout', `${this.where} did not answer in ${ANSWER_MS / 1000} s`));
      }, ANSWER_MS);
      call.on('error', (error) => {
        const failure = socketError(error, this.where);
        // To an operator, a name that is not known is one more way not to get there.
        reject(failure.code === 'not_found' ? new MoonwireError('not_connected', failure.message) : failure);
      });
      call.on('close', () => clearTimeout(late));
      call.on('response', () => clearTimeout(late));
      call.end(body);
    });
    if ([200, 201, 202, 204].includes(response.statusCode!)) return response;
    throw await this.refusalOf(response);
  }

  /** What the API says of why it refuses. */
  private async refusalOf(response: IncomingMessage): Promise<ApiRefusal> {
    const text = await this.bodyOf(response);
    try {
      const { detail, code } = JSON.parse(text);
      if (typeof detail === 'string')
        return new ApiRefusal(detail, typeof code === 'string' ? code : undefined);
    } catch {
      // Not an answer of ours: its status has to do.
    }
    return new ApiRefusal(`${this.where} answers with status ${response.statusCode}`);
  }

  private async bodyOf(response: IncomingMessage): Promise<string> {
    response.setTimeout(ANSWER_MS, () =>
      response.destroy(new MoonwireError('timeout', `${this.where} stopped in the middle of an answer`)),
    );
    const chunks: Buffer[] = [];
    let bytes = 0;
    try {
      for await (const chunk of response as AsyncIterable<Buffer>) {
        bytes += chunk.length;
        if (bytes > MAX_ANSWER) throw new ApiRefusal(`an answer has more than ${MAX_ANSWER} bytes`);
        chunks.push(chunk);
      }
    } catch (error) {
      throw error instanceof ApiRefusal ? error : socketError(error, this.where);
    }
    return Buffer.concat(chunks).toString('utf8');
  }

  private parse(text: string): Record<string, unknown> {
    try {
      const value = JSON.parse(text);
      if (isMap(value)) return value;
    } catch {
      // Answered below.
    }
    return this.notMoonwire();
  }

  private notMoonwire(): never {
    throw new ApiRefusal(`what listens at ${this.where} is not the API of Moonwire`);
  }
}

/** Whether a value is a map, as JSON's objects are. */
export function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Which authorities are trusted instead of the well-known ones, from the environment. */
function trusted({ MOONWIRE_API_CA: file }: NodeJS.ProcessEnv): { ca?: Buffer } {
  try {
    return file ? { ca: readFileSync(file) } : {};
  } catch (error) {
    throw new MoonwireError('invalid_argument', `MOONWIRE_API_CA cannot be read: ${messageOf(error)}`);
  }
}

/** The header for a user's password or a token, from the environment; undefined when there is neither. */
export function authorizationOf(user: string | undefined, env: NodeJS.ProcessEnv): string | undefined {
  const { MOONWIRE_API_TOKEN: token, MOONWIRE_API_PASSWORD: password } = env;
  if (user !== undefined)
    return `Basic ${Buffer.from(`${user}:${password ?? ''}`, 'utf8').toString('base64')}`;
  return token ? `Bearer ${token}` : undefined;
}
