/** Runs a program's handlers for the clients of one server or link, where a station otherwise runs a script. */

import type { ChunkQueue } from '../../bytes/chunks.js';
import type { Framer, OnDiscard } from '../../bytes/framer.js';
import { Failure, MoonwireError } from '../../errors.js';
import type { Handshake, MessageType } from '../../transports/connection.js';
import type { Client } from '../client.js';
import { InputFramer } from '../input-framer.js';
import type { HandlerName } from '../program.js';
import type { Answer } from '../request-handler.js';
import type { Station } from '../station.js';
import { ClientView } from './client.js';
import type { EngineClient, EngineRequest, HandlerStats, Handlers, WebSocketMessage } from './handlers.js';

const STAT_SECONDS = 10;
const MIN_STAT_SECONDS = 0.1;

export class HandlerHost {
  /** Messages of WebSockets are no stream, whoever handles them. */
  readonly readsDatagrams = false;
  private stats: NodeJS.Timeout | undefined;

  constructor(
    private readonly station: Station,
    private readonly handlers: Handlers,
  ) {}

  // -- Framing --------------------------------------------------------------------------------------------------

  get framed(): boolean {
    return this.handlers.parse !== undefined;
  }

  get endsWithSilence(): boolean {
    const { parse } = this.handlers;
    return typeof parse === 'object' && parse.kind === 'gap';
  }

  get partial(): number | undefined {
    const { parse } = this.handlers;
    return typeof parse === 'object' ? parse.partial : undefined;
  }

  createFramer(client: Client, max: number, onDiscard: OnDiscard): Framer {
    const { handlers } = this;
    const { parse } = handlers;
    if (typeof parse === 'object') return parse.create(onDiscard);
    const ask = (held: ChunkQueue): number => {
      try {
        return parse!.call(handlers, bufferOf(held.whole()), viewOf(client));
      } catch (error) {
        this.failed('parse', client, error);
        throw new MoonwireError('internal', `parse failed: ${asError(error).message}`);
      }
    };
    return new InputFramer('parse', ask, max, onDiscard);
  }

  // -- Handlers -------------------------------------------------------------------------------------------------

  /** The engine listens. Rejects with what `onReady` throws. */
  async ready(engine: unknown): Promise<void> {
    const { handlers } = this;
    await handlers.onReady?.(engine);
    if (!handlers.onStat) return;
    const seconds = Math.max(MIN_STAT_SECONDS, handlers.statSeconds ?? STAT_SECONDS);
    this.stats = setInterval(() => this.tellStats(), seconds * 1000).unref();
  }

  /** The engine ends: `onStat` is not called any more. */
  close(): void {
    clearInterval(this.stats);
  }

  connected(client: Client, handshake?: Handshake): Promise<void> | undefined {
    return this.call('onConnected', this.handlers.onConnected, client, handshake);
  }

  /** What a script would be called for by one of these names. */
  called(name: HandlerName, client: Client): Promise<void> | undefined {
    if (name === 'on_connect') return this.connected(client);
    if (name === 'on_poll') return this.call('onPoll', this.handlers.onPoll, client, undefined);
    return undefined;
  }

  /** A frame, datagram, chunk or message of a WebSocket. */
  handle(client: Client, bytes: Uint8Array, type: MessageType): Promise<void> | undefined {
    const { station, handlers } = this;
    const { counters, messageTimes } = station;
    counters.frames++;
    counters.messages++;
    client.messages++;
    station.frames.add(client.id, false, bytes, client.lastSeen);
    const data = bufferOf(bytes);
    const began = performance.now();
    const done =
      client.connection.speaks === 'websocket'
        ? this.call('onMessage', handlers.onMessage, client, messageOf(data, type))
        : this.call('onData', handlers.onData, client, data);
    if (done) return done.then(() => messageTimes.add((performance.now() - began) / 1000));
    messageTimes.add((performance.now() - began) / 1000);
    return undefined;
  }

  /** Answers a request as a script's `on_request` does: a {@link Failure} where it failed or there is no handler. */
  request(client: Client, request: object): Answer | Failure | Promise<Answer | Failure> {
    const { station, handlers } = this;
    if (!handlers.onRequest) return new Failure('not_found: the program answers no requests');
    const refused = (error: unknown): Failure => {
      if (error instanceof MoonwireError) return new Failure(`${error.code}: ${error.message}`);
      this.failed('onRequest', client, error);
      return new Failure('internal: the handler failed');
    };
    station.counters.messages++;
    client.messages++;
    try {
      const value = handlers.onRequest(viewOf(client), request as EngineRequest);
      return isPromise(value) ? value.then((given) => ({ value: given }), refused) : { value };
    } catch (error) {
      return refused(error);
    }
  }

  closed(client: Client, error: Error | undefined): Promise<void> | undefined {
    return this.call('onClosed', this.handlers.onClosed, client, error);
  }

  /** Calls a handler, where there is one; a promise when it takes its time. What it throws is counted and logged. */
  private call<A>(
    name: keyof Handlers,
    handler: ((client: EngineClient, argument: A) => unknown) | undefined,
    client: Client,
    argument: A,
  ): Promise<void> | undefined {
    if (!handler) return undefined;
    const failed = (error: unknown): void => this.failed(name, client, error);
    try {
      const result = handler.call(this.handlers, viewOf(client), argument);
      return isPromise(result) ? result.then(() => undefined, failed) : undefined;
    } catch (error) {
      failed(error);
      return undefined;
    }
  }

  private async tellStats(): Promise<void> {
    try {
      await this.handlers.onStat?.(this.figures());
    } catch (error) {
      this.failed('onStat', undefined, error);
    }
  }

  private failed(name: keyof Handlers, client: Client | undefined, error: unknown): void {
    this.station.scriptFailed(name, client, asError(error));
  }

  private figures(): HandlerStats {
    const { station } = this;
    const { opened, closed, bytesIn, bytesOut, frames, sends, sendsRefused, scriptErrors, discarded } =
      station.counters;
    return {
      server: station.settings.name,
      clients: station.clients.size,
      ...{ opened, closed, bytesIn, bytesOut, frames, sends, sendsRefused },
      errors: scriptErrors,
      discarded: Object.values(discarded).reduce((sum, bytes) => sum + bytes, 0),
    };
  }
}

/** The client as its program sees it, the same one each time. */
export function viewOf(client: Client): ClientView {
  client.view ??= new ClientView(client);
  return client.view;
}

/** The same bytes as a Buffer, which a program expects. */
function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

function messageOf(data: Buffer, type: MessageType): WebSocketMessage {
  return type === 'text' ? { type, data: data.toString('utf8') } : { type, data };
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

function isPromise(value: unknown): value is Promise<unknown> {
  return typeof (value as Partial<Promise<unknown>> | undefined | null)?.then === 'function';
}
