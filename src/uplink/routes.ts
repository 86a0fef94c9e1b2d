/**
 * Requests to clients of another node, over one stream of type 3 (design §9): between two engines, and between an
 * engine and the centre. Both ends ask and answer on the same stream.
 */

import type { ConnCall, LocalClients, Outgoing } from '../engine/mesh.js';
import { type Failure, messageOf } from '../errors.js';
import type { MessageStream } from './message-stream.js';
import type { CallMessage, Message, PubMessage, RouteMessage, SendMessage } from './messages.js';
import { unsendable } from './sendable.js';

/** How a request ended: clients reached, clients missed, and for a single client why ("code: text"). */
export type Done = (success: number, fail: number, error?: string) => void;

/** Requests to clients elsewhere. Each calls `done` exactly once, within the call or later; none throws. */
export interface RouteRequests {
  /** Sends to one client. */
  send(client: number, message: Outgoing, done: Done): void;
  /** Calls a function of one client. */
  call(client: number, fn: ConnCall, args: readonly unknown[], done: Done): void;
  /** Sends to the subscribers of a channel, those on the nodes in `except` left out. */
  publish(channel: string, message: Outgoing, except: readonly number[], done: Done): void;
}

/** Bounds of a route. */
export interface RouteOptions {
  /** Milliseconds a request may take; 10,000. */
  readonly timeoutMs?: number;
  /** Requests that may be under way, in each direction; 10,000. */
  readonly maxRequests?: number;
  /** Bytes that may wait for the other end to read them; 4 MiB. */
  readonly maxPendingBytes?: number;
}

/** Counters of a route, rising for ever; names are metric labels. */
export interface RouteCounters {
  /** Requests sent, requests served, and those of either kind that were turned away at once. */
  requested: number;
  served: number;
  refused: number;
  /** Requests without an answer in time, and answers that nobody waits for any more. */
  timeouts: number;
  strayAnswers: number;
  /** Messages of a type that does not belong here. */
  unknown: number;
}

interface Waiting {
  readonly done: Done;
  readonly due: number;
}

/** Longest reason in an answer, in characters. */
const MAX_REASON = 1024;
const DEFAULTS = { timeoutMs: 10_000, maxRequests: 10_000, maxPendingBytes: 4 * 1024 * 1024 };

/**
 * One route. The other end's requests are handed to `handler` in the order they came; their answers leave as they
 * are given, so a handler that answers at once answers in order.
 */
export class Route implements RouteRequests {
  readonly counters: RouteCounters = {
    requested: 0,
    served: 0,
    refused: 0,
    timeouts: 0,
    strayAnswers: 0,
    unknown: 0,
  };
  /** Called once when the route has ended, after every request under way has failed. */
  onclose: ((error?: Error) => void) | undefined = undefined;
  /** Called when requests were not answered in time. */
  ontimeout: (() => void) | undefined = undefined;

  private readonly options: Required<RouteOptions>;
  /** Requests under way by id, hence oldest first; one time limit for all makes that the order they fall due. */
  private readonly waiting = new Map<number, Waiting>();
  private nextId = 1;
  /** Requests of the other end that were not answered yet. */
  private serving = 0;
  private timer: NodeJS.Timeout | undefined;
  private ended = false;

  /** Takes over `stream`: nothing else may use it from now on. */
  constructor(
    private readonly stream: MessageStream,
    private readonly handler: RouteRequests,
    options: RouteOptions = {},
  ) {
    this.options = { ...DEFAULTS, ...options };
    stream.onmessage = (message) => this.receive(message);
    stream.onclose = (error) => this.end(error);
  }

  /** Requests without an answer yet. */
  get outstanding(): number {
    return this.waiting.size;
  }

  /** False once the route has ended: everything fails at once then. */
  get open(): boolean {
    return !this.ended;
  }

  send(client: number, { data, type }: Outgoing, done: Done): void {
    const message: SendMessage = { t: 'send', id: this.nextId, c: client, d: data };
    if (type) message.y = type;
    this.request(message, done);
  }

  call(client: number, fn: ConnCall, args: readonly unknown[], done: Done): void {
    this.request({ t: 'call', id: this.nextId, c: client, f: fn, a: args }, done);
  }

  publish(channel: string, { data, type }: Outgoing, except: readonly number[], done: Done): void {
    const message: PubMessage = { t: 'pub', id: this.nextId, ch: channel, d: data };
    if (type) message.y = type;
    if (except.length > 0) message.except = except;
    this.request(message, done);
  }

  /** Ends the route; requests under way fail. */
  close(): void {
    this.stream.close();
    this.end();
  }

  private request(message: SendMessage | CallMessage | PubMessage, done: Done): void {
    const refusal = this.refusal() ?? unsendable(message) ?? this.transmit(message);
    if (refusal !== undefined) {
      this.counters.refused++;
      done(0, 1, refusal);
      return;
    }
    this.nextId++;
    this.counters.requested++;
    const { timeoutMs } = this.options;
    this.waiting.set(message.id, { done, due: performance.now() + timeoutMs });
    this.timer ??= setTimeout(this.expire, timeoutMs).unref();
  }

  /** Why no request can be made now. */
  private refusal(): string | undefined {
    const { maxRequests, maxPendingBytes } = this.options;
    if (this.ended) return 'not_connected: the way to that node has ended';
    if (this.waiting.size >= maxRequests)
      return `queue_full: ${maxRequests} requests to that node are under way`;
    if (this.stream.pendingBytes >= maxPendingBytes)
      return `queue_full: that node has not taken ${maxPendingBytes} bytes yet`;
    return undefined;
  }

  /** Sends; why that failed. */
  private transmit(message: RouteMessage): string | undefined {
    const error = this.stream.send(message);
    return error && `${error.code}: ${error.message}`;
  }

  /** Fails what is due, and waits for the next. One timer for all: setting one for each would cost more than a send. */
  private readonly expire = (): void => {
    const now = performance.now();
    const before = this.counters.timeouts;
    for (const [id, { done, due }] of this.waiting) {
      if (due > now) break;
      this.waiting.delete(id);
      this.counters.timeouts++;
      done(0, 1, `timeout: no answer in ${this.options.timeoutMs} ms`);
    }
    const [oldest] = this.waiting.values();
    this.timer = oldest && setTimeout(this.expire, Math.ceil(oldest.due - now)).unref();
    if (this.counters.timeouts > before) this.ontimeout?.();
  };

  private receive(message: Message): void {
    switch (message.t) {
      case 'done': {
        const waiting = this.waiting.get(message.id);
        if (!waiting) {
          this.counters.strayAnswers++;
          return;
        }
        this.waiting.delete(message.id);
        waiting.done(message.s, message.f, message.e);
        return;
      }
      case 'send':
      case 'call':
      case 'pub':
        this.serve(message);
        return;
      case 'error':
        return;
      default:
        this.counters.unknown++;
        this.stream.refuse(message);
    }
  }

  private serve(message: SendMessage | CallMessage | PubMessage): void {
    const { id } = message;
    if (this.serving >= this.options.maxRequests) {
      this.counters.refused++;
      this.answer(id, 0, 1, 'queue_full: too many requests wait for their answers');
      return;
    }
    this.serving++;
    this.counters.served++;
    const done: Done = (success, fail, error) => {
      this.serving--;
      this.answer(id, success, fail, error);
    };
    if (message.t === 'send') this.handler.send(message.c, outgoing(message), done);
    else if (message.t === 'pub')
      this.handler.publish(message.ch, outgoing(message), message.except ?? [], done);
    else if (isConnCall(message.f)) this.handler.call(message.c, message.f, message.a, done);
    else done(0, 1, `invalid_argument: no function ${message.f} can be called on a client`);
  }

  private answer(id: number, s: number, f: number, e?: string): void {
    this.stream.send(e === undefined ? { t: 'done', id, s, f } : { t: 'done', id, s, f, e: reason(e) });
  }

  private end(error?: Error): void {
    if (this.ended) return;
    this.ended = true;
    clearTimeout(this.timer);
    const waiting = [...this.waiting.values()];
    this.waiting.clear();
    for (const { done } of waiting)
      done(0, 1, 'not_connected: the way to that node ended before it answered');
    this.onclose?.(error);
  }
}

/** Answers requests with the clients of this node. */
export function localRequests(local: LocalClients): RouteRequests {
  // A defect here must not end the stream that others' requests are on.
  const guard = (done: Done, run: () => void) => {
    try {
      run();
    } catch (error) {
      done(0, 1, `internal: ${messageOf(error)}`);
    }
  };
  const single = (done: Done, run: () => Failure | undefined | Promise<Failure | undefined>) =>
    guard(done, () => {
      const end = (failure: Failure | undefined): void =>
        failure ? done(0, 1, failure.message) : done(1, 0);
      const sent = run();
      if (sent instanceof Promise) sent.then(end);
      else end(sent);
    });
  return {
    send: (client, message, done) => single(done, () => local.deliver(client, message)),
    call: (client, fn, args, done) => single(done, () => local.call(client, fn, args)),
    publish: (channel, message, _except, done) =>
      guard(done, () => {
        const { success, fail } = local.fanOut(channel, message);
        done(success, fail);
      }),
  };
}

/** Every function that may be called. */
const CALLS: Record<ConnCall, true> = {
  set_context_value: true,
  set_context: true,
  subscribe: true,
  unsubscribe: true,
};

function isConnCall(name: string): name is ConnCall {
  return Object.hasOwn(CALLS, name);
}

/** A reason as it can be sent: short, and without half characters. */
function reason(text: string): string {
  return text.slice(0, MAX_REASON).replace(/\p{Surrogate}/gu, '\ufffd');
}

function outgoing({ d, y }: SendMessage | PubMessage): Outgoing {
  return { data: d, type: y };
}
