/** An engine that has joined the centre, for as long as its session lasts. */

import { HEARTBEAT_TYPE, MuxError, type MuxStream, type TypedSession } from '../mux/index.js';
import { type MessageCounters, MessageStream } from '../uplink/message-stream.js';
import { type HelloMessage, MAX_MESSAGE_BYTES, type Peer, STREAM } from '../uplink/messages.js';
import { type RequestHandler, Requests } from '../uplink/requests.js';
import { Route, type RouteRequests } from '../uplink/routes.js';
import { describeEnd } from '../uplink/session-end.js';
import type { EngineRecord } from './engine-record.js';
import type { Pin } from './pins.js';

/** Seconds of silence for an engine that names none. */
const DEFAULT_SILENCE = 25;
/** Less than an engine waits, so that it hears of a time-out rather than having one itself. */
const ROUTE_TIMEOUT_MS = 9000;
const MAX_ROUTE_BYTES = 4 * 1024 * 1024;

/** What is known of an engine when it has proved itself. */
export interface Arrival {
  readonly session: TypedSession;
  readonly control: MessageStream;
  readonly hello: HelloMessage;
  readonly pin: Pin;
  /** "host:port" and host it comes from. */
  readonly remote: string;
  readonly host: string;
  readonly record: EngineRecord;
}

/** What the centre gives its sessions. */
export interface SessionOwner {
  readonly counters: MessageCounters;
  /** Methods engines may call. */
  readonly handlers: ReadonlyMap<string, (engine: EngineSession, params: unknown) => unknown>;
  /** Takes streams of other types than control and route. */
  readonly streams: ReadonlyMap<number, (engine: EngineSession, stream: MuxStream) => void>;
  /** Requests to other engines' clients. */
  routesOf(engine: EngineSession): RouteRequests;
}

/** One engine. */
export class EngineSession {
  readonly node: number;
  readonly name: string;
  readonly version: string;
  readonly remote: string;
  /** Unix seconds of the join. */
  readonly since = Date.now() / 1000;
  readonly record: EngineRecord;
  /** As the other engines are told. */
  readonly peer: Peer;
  /** Where requests to its clients go; undefined until the engine has opened it. */
  route: Route | undefined;

  private readonly session: TypedSession;
  private readonly control: MessageStream;
  private readonly requests: Requests;

  constructor(arrival: Arrival, owner: SessionOwner) {
    const { session, control, hello, pin, remote, host, record } = arrival;
    this.session = session;
    this.control = control;
    this.record = record;
    this.remote = remote;
    this.node = pin.node;
    this.name = pin.name;
    this.version = hello.version;
    record.labels = hello.labels;
    this.peer = {
      name: pin.name,
      node: pin.node,
      key: pin.key,
      version: hello.version,
      mesh: seenFrom(host, hello.mesh),
      api: seenFrom(host, hello.api),
    };
    const handlers = new Map<string, RequestHandler>(
      [...owner.handlers].map(([method, handler]) => [method, (params) => handler(this, params)]),
    );
    this.requests = new Requests(control, handlers);
    this.takeControl();
    this.takeRoute(owner);
    for (const [type, handler] of owner.streams) session.handle(type, (stream) => handler(this, stream));
    watchHeartbeat(session, hello.silence ?? DEFAULT_SILENCE);
  }

  /** Resolves when the session has ended: why, and whether the engine took its leave. */
  async ended(): Promise<{ reason: string; left: boolean }> {
    const end = await this.session.session.closed;
    const left = end.remote?.code === 'none';
    return { reason: left ? 'it took its leave' : describeEnd(end), left };
  }

  /** Asks the engine; see {@link Requests.request}. */
  request(method: string, params?: unknown): Promise<unknown> {
    return this.requests.request(method, params);
  }

  /** Opens a stream of a type of {@link STREAM}. Throws a MuxError when the session has ended. */
  openStream(type: number): MuxStream {
    return this.session.open(type);
  }

  /** Tells the join's success; the first message it gets. */
  welcome(peers: readonly Peer[]): void {
    this.control.send({ t: 'welcome', node: this.node, time: Date.now() / 1000, peers });
  }

  /** Sends a message of control that is encoded already. */
  tell(message: Uint8Array): void {
    this.control.sendEncoded(message);
  }

  /** Ends the session, and tells the engine why; resolves when it has ended, within a second or so. */
  async close(reason: string): Promise<void> {
    await this.session.session.close(new MuxError('stream_refused', reason));
  }

  private takeControl(): void {
    const { control, record, requests } = this;
    control.maxMessageBytes = MAX_MESSAGE_BYTES;
    control.onmessage = (message) => {
      if (message.t === 'reg') {
        if (!record.apply(message)) control.send({ t: 'resend' });
      } else if (!requests.receive(message)) {
        control.refuse(message);
      }
    };
    control.onclose = (error) => {
      requests.end();
      void this.close(error?.message ?? 'the control stream ended');
    };
    // There is one.
    this.session.handle(STREAM.control, refuse);
  }

  private takeRoute(owner: SessionOwner): void {
    this.session.handle(STREAM.route, (stream) => {
      if (this.route?.open) {
        refuse(stream);
        return;
      }
      const messages = new MessageStream(stream, { counters: owner.counters });
      this.route = new Route(messages, owner.routesOf(this), {
        timeoutMs: ROUTE_TIMEOUT_MS,
        maxPendingBytes: MAX_ROUTE_BYTES,
      });
    });
  }
}

/** Refuses a stream; nobody listens to it any more. */
export function refuse(stream: MuxStream): void {
  stream.on('error', () => {}).reset('stream_refused');
}

/**
 * Echoes the engine's heartbeats, and ends the session when none has come for `seconds`: with the engine's own
 * interval and tolerance, both ends notice a dead link at the same time, and a metered one carries one beat, not two.
 */
function watchHeartbeat(session: TypedSession, seconds: number): void {
  let heard = true;
  const check = (): void => {
    if (!heard)
      void session.session.close(new MuxError('write_timeout', `no heartbeat came for ${seconds} s`));
  };
  const death = setTimeout(() => {
    // A process that was held up finds its timers due before it has read what arrived meanwhile.
    heard = false;
    setImmediate(check);
  }, seconds * 1000).unref();
  session.handle(HEARTBEAT_TYPE, (stream) => {
    stream.on('error', () => {});
    stream.on('data', () => {
      heard = true;
      death.refresh();
    });
    stream.pipe(stream);
  });
  void session.session.closed.then(() => clearTimeout(death));
}

/**
 * An advertised address whose host is empty has the host its engine comes from. One on loopback is of use to the
 * same machine alone: others would find themselves there.
 */
function seenFrom(host: string, advertised: string | undefined): string | undefined {
  if (advertised === undefined || (isLoopback(advertised) && !isLoopback(host))) return undefined;
  return advertised.startsWith(':') ? host + advertised : advertised;
}

function isLoopback(address: string): boolean {
  return /^(127\.|localhost(:|$)|\[?::1\]?(:\d+)?$|\[?::ffff:127\.)/.test(address);
}
