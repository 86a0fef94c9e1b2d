/**
 * One WebSocket of `/ws/v1`, as CONNMIX's clients use it: it consumes queues, sends, publishes and calls. Requests
 * begin in the order they came, so that what is sent to one client keeps its order; none waits for another's end.
 */

import * as v from 'valibot';
import type { RawData, WebSocket } from 'ws';
import { json } from '../codecs/json.js';
import type { Consumer, QueueMessage } from '../engine/queues.js';
import { messageOf } from '../errors.js';
import type { Logger } from '../log.js';
import type { Caller } from './access.js';
import { audited } from './audit.js';
import { fields, text } from './check.js';
import { CALLS, type Call, CODES, ConnmixError, checkParams } from './connmix.js';
import type { ApiHost } from './host.js';

/** Requests under way, above which no more are read until some have ended. */
const MAX_IN_FLIGHT = 1000;
/** Bytes waiting, above which a consumer is given no more messages. */
const READY_BYTES = 2 ** 20;
/** Topics of one consumer. */
const MAX_TOPICS = 1000;

/** How long a peer may be silent, and how much may wait for it. */
export interface WorkerSocketLimits {
  readonly idleMs: number;
  readonly sendBufferBytes: number;
}

/** What all WebSockets of an API count, rising for ever; names are metric labels. */
export interface WorkerSocketCounters {
  opened: number;
  closed: number;
  /** Closed because more than `sendBufferBytes` waited, or none of it was taken. */
  closedSlow: number;
  /** Closed for silence. */
  closedIdle: number;
  /** Messages of a queue that were taken and cannot be written as JSON. */
  unwritable: number;
}

/** The id of a request, under the name it came with. */
type RequestId = Readonly<Record<string, string | number | null>>;
/** What it consumes, and how that ends. */
interface Consuming {
  readonly topics: readonly string[];
  stop: () => void;
}

const requestShape = fields({ m: text(1, 64), p: v.optional(v.unknown(), {}) });
type Request = v.InferOutput<typeof requestShape>;
const anyId = v.nullish(
  v.union([text(0, 256), v.number()], 'must be text of at most 256 bytes, or a number'),
);
const idShape = fields({ i: anyId, id: anyId });
const popParams = fields({
  t: v.pipe(
    v.array(text(1, 256), 'must be a list of topics'),
    v.minLength(1, 'names no topic'),
    v.maxLength(MAX_TOPICS, `names at most ${MAX_TOPICS} topics`),
  ),
});

export class WorkerSocket implements Consumer {
  private inFlight = 0;
  private consuming: Consuming | undefined;
  /** It was asked for while it could not take more. */
  private passedOver = false;
  private lastSeen = performance.now();

  constructor(
    private readonly socket: WebSocket,
    private readonly host: ApiHost,
    private readonly caller: Caller,
    private readonly limits: WorkerSocketLimits,
    /** Whether it takes nothing of what waits for it. */
    private readonly stalled: () => boolean,
    private readonly counters: WorkerSocketCounters,
    private readonly log: Logger,
  ) {
    counters.opened++;
    socket.on('message', (data, binary) => this.received(data, binary));
    socket.on('pong', () => {
      this.lastSeen = performance.now();
    });
    // What is wrong with its frames: `ws` closes it with the code that says so.
    socket.on('error', (error) => this.log.debug(`API WebSocket: ${error.message}`));
    socket.on('close', () => {
      this.counters.closed++;
      this.consuming?.stop();
      this.consuming = undefined;
    });
  }

  /** Pings, and closes a peer that is gone, takes nothing, or is not welcome any more. Called again and again. */
  check(now: number): void {
    const { idleMs } = this.limits;
    // It is not read while too many requests are under way.
    if (this.socket.isPaused) this.lastSeen = now;
    if (!this.caller.stillWelcome()) {
      this.socket.close(1008, 'not welcome any more');
    } else if (this.stalled()) {
      this.counters.closedSlow++;
      this.socket.terminate();
    } else if (now - this.lastSeen > idleMs) {
      this.counters.closedIdle++;
      this.socket.terminate();
    } else if (now - this.lastSeen > idleMs / 2) {
      this.socket.ping();
    }
  }

  /** Says good-bye: the process ends. */
  close(): void {
    this.socket.close(1001, 'going away');
  }

  /** Does not wait for the peer. */
  terminate(): void {
    this.socket.terminate();
  }

  // -- Consumer -------------------------------------------------------------------------------------------------

  get ready(): boolean {
    const ready = this.socket.readyState === this.socket.OPEN && this.socket.bufferedAmount < READY_BYTES;
    if (!ready) this.passedOver = true;
    return ready;
  }

  take({ client, topic, data }: QueueMessage): void {
    const c = client === undefined ? null : String(client);
    const event = { e: 'queue.pop', p: { n: this.host.node, c, t: topic, d: data ?? null }, id: null };
    try {
      this.send(json.encode(event), this.sent);
    } catch (error) {
      this.counters.unwritable++;
      this.log.warn(`a message of topic ${topic} is lost: ${messageOf(error)}`, { topic });
    }
  }

  private readonly sent = (): void => {
    if (!this.passedOver || !this.consuming || this.socket.bufferedAmount > READY_BYTES / 2) return;
    this.passedOver = false;
    this.host.queues?.resume(this.consuming.topics);
  };

  // -- Requests -------------------------------------------------------------------------------------------------

  private received(data: RawData, binary: boolean): void {
    this.lastSeen = performance.now();
    if (!this.caller.stillWelcome()) {
      this.socket.close(1008, 'not welcome any more');
      return;
    }
    const bytes = data as Buffer;
    if (!binary && bytes.length === 4 && bytes.toString('latin1') === 'ping') {
      this.send('pong');
      return;
    }
    let id: RequestId = { i: null };
    let request: Request;
    try {
      const value = readJson(bytes, binary);
      id = readId(value);
      request = checkParams(requestShape, value);
    } catch (error) {
      this.reply(id, error);
      return;
    }
    if (++this.inFlight >= MAX_IN_FLIGHT) this.socket.pause();
    this.perform(request)
      .then(
        (result) => this.reply(id, undefined, result),
        (error: unknown) => this.reply(id, error),
      )
      .finally(() => {
        if (--this.inFlight === MAX_IN_FLIGHT - 1) this.socket.resume();
      });
  }

  private async perform({ m: method, p: params }: Request): Promise<unknown> {
    switch (method) {
      case 'mesh.send':
        return this.run(method, CALLS[method], params);
      case 'mesh.publish':
        return this.run(method, CALLS[method], params);
      case 'conn.call':
        return this.run(method, CALLS[method], params);
      case 'queue.pop': {
        const { t } = checkParams(popParams, params);
        return this.audited(method, `topics ${t.join(', ')}`, () => this.consume(t));
      }
      case 'queue.unpop':
        return this.audited(method, `topics ${this.consuming?.topics.join(', ') ?? ''}`, () => this.cancel());
      default:
        throw new ConnmixError(CODES.invalid, `there is no method ${method}`);
    }
  }

  private run<P>(method: string, call: Call<P>, value: unknown): Promise<unknown> {
    const params = checkParams(call.params, value);
    return this.audited(method, call.target(params), () => call.run(this.host, params));
  }

  private consume(topics: readonly string[]): { s: true } {
    const queues = this.queues();
    if (this.consuming) throw new ConnmixError(CODES.consumedAlready, 'this connection consumes already');
    const consuming: Consuming = { topics, stop: () => {} };
    this.consuming = consuming;
    // After the reply, so that no message comes before it.
    setImmediate(() => {
      if (this.consuming === consuming) consuming.stop = queues.consume(topics, this);
    });
    return { s: true };
  }

  private cancel(): { s: true } {
    if (!this.consuming) throw new ConnmixError(CODES.cancelFailed, 'this connection consumes nothing');
    this.consuming.stop();
    this.consuming = undefined;
    return { s: true };
  }

  private queues(): NonNullable<ApiHost['queues']> {
    if (this.host.queues) return this.host.queues;
    throw new ConnmixError(
      CODES.consumeFailed,
      'the centre has no queues: connect to the engines of /v1/nodes',
    );
  }

  private audited<T>(action: string, target: string, change: () => T | Promise<T>): Promise<T> {
    return audited(this.log, this.caller, action, target, change);
  }

  private reply(id: RequestId, error: unknown, result?: unknown): void {
    if (error === undefined) {
      this.send(JSON.stringify({ E: null, r: result, ...id }));
      return;
    }
    if (!(error instanceof ConnmixError)) this.log.error(`API WebSocket: ${messageOf(error)}`);
    const shown =
      error instanceof ConnmixError ? error : new ConnmixError(CODES.callFailed, 'internal: see the log');
    this.send(JSON.stringify({ E: shown.envelope, ...id }));
  }

  private send(text: string | Uint8Array, sent?: () => void): void {
    if (this.socket.readyState !== this.socket.OPEN) return;
    if (this.socket.bufferedAmount + text.length > this.limits.sendBufferBytes) {
      this.counters.closedSlow++;
      this.log.warn('API WebSocket closed: it does not take what it is sent', { user: this.caller.user });
      this.socket.terminate();
      return;
    }
    this.socket.send(text, { binary: false }, sent);
  }
}

function readJson(bytes: Buffer, binary: boolean): unknown {
  if (binary) throw new ConnmixError(CODES.invalid, 'requests are text frames');
  try {
    return json.decode(bytes);
  } catch (error) {
    throw new ConnmixError(CODES.invalid, `not JSON: ${messageOf(error)}`);
  }
}

/** `i`, or `id` as older clients send it. */
function readId(value: unknown): RequestId {
  const { i, id } = checkParams(idShape, value);
  return i === undefined && id !== undefined ? { id } : { i: i ?? null };
}
