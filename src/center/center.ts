/** The centre: engines join here, and are found, told of each other and reached through it. */

import type { ConnCall, Outgoing, Published } from '../engine/mesh.js';
import { Failure, MoonwireError, messageOf } from '../errors.js';
import { type Logger, LogThrottle } from '../log.js';
import { MuxError, type MuxStream, Session, TypedSession } from '../mux/index.js';
import type { KeyValue } from '../store/keyvalue.js';
import { MessageStream, newMessageCounters } from '../uplink/message-stream.js';
import { REFUSALS, type Refusal, STREAM } from '../uplink/messages.js';
import type { RouteRequests } from '../uplink/routes.js';
import { EngineSession, refuse } from './engine-session.js';
import { Door, Refused } from './join.js';
import { type ListenerLimits, type RegistryConfig, RegistryListener, type Visitor } from './listener.js';
import { PeerList } from './peer-list.js';
import { Pins } from './pins.js';
import { Registry } from './registry.js';
import { Relay } from './relay.js';

/** What the centre is told. */
export interface CenterOptions {
  /** `center.registry` of the configuration. */
  readonly registry: RegistryConfig;
  /** What an engine with an unknown key must prove to know; without one every engine may join. */
  readonly joinToken?: string | undefined;
  /** Keys that need no token: that of the engine in the same process. */
  readonly trustedKeys?: readonly Uint8Array[];
  readonly limits?: Partial<CenterLimits>;
}

/** Bounds of the centre. */
export interface CenterLimits extends ListenerLimits {
  /** Engines connected at a time; 10,000. */
  readonly engines: number;
  /** Joins a second, of known engines and as many again of others; 200. */
  readonly joinsPerSecond: number;
}

/** What the centre uses. */
export interface CenterParts {
  readonly log: Logger;
  /** Where pins are kept: a map of their own. */
  readonly values: KeyValue;
}

/** Rising for ever; names are metric labels. */
export interface CenterCounters {
  joins: number;
  /** Older sessions of engines that joined anew. */
  replaced: number;
  /** Sessions of engines that ended. */
  lost: number;
  /** Joins that ended without a refusal: connections that broke, or spoke no muxado. */
  brokenJoins: number;
  refused: Record<Refusal, number>;
}

/** Is told of engines that come and go. */
export interface CenterObserver {
  engineUp?(engine: EngineSession): void;
  engineDown?(engine: EngineSession, reason: string): void;
}

/** Streams of an engine are few, and read at once: little is allowed to lie unread. */
const SESSION_LIMITS = { maxStreams: 256, acceptBacklog: 16, maxUnreadBytes: 8 * 1024 * 1024 };
/** A hello with its labels is far smaller. */
const MAX_JOIN_BYTES = 64 * 1024;
/** Milliseconds a refused engine has for reading why. */
const REFUSED_MS = 1000;
const DEFAULT_LIMITS: CenterLimits = { strangers: 256, joinMs: 10_000, engines: 10_000, joinsPerSecond: 200 };

/** The centre. */
export class Center {
  readonly registry = new Registry();
  readonly pins: Pins;
  readonly relay = new Relay(this.registry);
  readonly counters: CenterCounters = {
    joins: 0,
    replaced: 0,
    lost: 0,
    brokenJoins: 0,
    refused: Object.fromEntries(Object.keys(REFUSALS).map((code) => [code, 0])) as Record<Refusal, number>,
  };
  readonly messages = newMessageCounters();
  /** Told of engines that come and go; what they throw is theirs to catch. */
  readonly observers = new Set<CenterObserver>();

  private readonly limits: CenterLimits;
  private readonly door: Door;
  private readonly peers = new PeerList();
  private readonly handlers = new Map<string, (engine: EngineSession, params: unknown) => unknown>();
  private readonly streams = new Map<number, (engine: EngineSession, stream: MuxStream) => void>();
  private readonly own: RouteRequests = this.relay.requestsOf(0);
  private readonly throttle = new LogThrottle();
  private readonly log: Logger;
  private opened: RegistryListener | undefined;

  constructor(
    private readonly options: CenterOptions,
    { log, values }: CenterParts,
  ) {
    this.log = log;
    this.limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.pins = new Pins(values);
    this.door = new Door({
      pins: this.pins,
      joinToken: options.joinToken,
      trustedKeys: options.trustedKeys,
      joinsPerSecond: this.limits.joinsPerSecond,
      hasRoom: (node) =>
        this.registry.size < this.limits.engines ||
        (node !== undefined && this.registry.engineOfNode(node) !== undefined),
    });
  }

  /** The open registry port; undefined before `start` and after `stop`. */
  get listener(): RegistryListener | undefined {
    return this.opened;
  }

  /** Opens the registry port; rejects as {@link RegistryListener.open} does. */
  async start(): Promise<void> {
    const onVisitor = (visitor: Visitor): void => this.receive(visitor);
    this.opened = await RegistryListener.open(this.options.registry, onVisitor, this.log, this.limits);
  }

  /** Ends all sessions and closes the port. Never fails. */
  async stop(): Promise<void> {
    const { opened } = this;
    this.opened = undefined;
    this.peers.stop();
    const engines = this.registry.list();
    await opened?.close(Promise.all(engines.map((engine) => engine.close('the centre stops'))));
  }

  /** Answers a method that engines call; to be called before `start`. */
  handle(method: string, handler: (engine: EngineSession, params: unknown) => unknown): void {
    this.handlers.set(method, handler);
  }

  /** Takes streams of a type that engines open, other than control and route; to be called before `start`. */
  onStream(type: number, handler: (engine: EngineSession, stream: MuxStream) => void): void {
    this.streams.set(type, handler);
  }

  /** Sends to one client; resolves to why that failed. Never rejects. */
  send(client: number, message: Outgoing): Promise<Failure | undefined> {
    return new Promise((resolve) => this.own.send(client, message, settle(resolve)));
  }

  /** Calls a function of one client; resolves as `send` does. */
  call(client: number, fn: ConnCall, args: readonly unknown[]): Promise<Failure | undefined> {
    return new Promise((resolve) => this.own.call(client, fn, args, settle(resolve)));
  }

  /** Sends to the subscribers of a channel on all engines. Never rejects. */
  publish(channel: string, message: Outgoing): Promise<Published> {
    return new Promise((resolve) =>
      this.own.publish(channel, message, [], (success, fail) => resolve({ success, fail })),
    );
  }

  /** Makes a session of a connection; its first stream is to be the control stream, over which it joins. */
  private receive(visitor: Visitor): void {
    const session = new TypedSession(
      new Session(visitor.transport, {
        role: 'server',
        ...SESSION_LIMITS,
        typeTimeoutMs: this.limits.joinMs,
      }),
    );
    session.on('stream', refuse);
    let begun = false;
    session.handle(STREAM.control, (stream) => {
      begun = true;
      session.handle(STREAM.control, refuse);
      void this.join(visitor, session, stream);
    });
    void session.session.closed.then(({ error }) => {
      if (begun) return;
      this.counters.brokenJoins++;
      this.report('broken', 'a connection broke off', { remote: visitor.remote, reason: error.message });
    });
  }

  private async join(visitor: Visitor, session: TypedSession, stream: MuxStream): Promise<void> {
    const { remote, host } = visitor;
    const control = new MessageStream(stream, { counters: this.messages, maxMessageBytes: MAX_JOIN_BYTES });
    try {
      const { hello, pin } = await this.door.receive(control);
      if (!control.open) throw new MoonwireError('closed', 'it went away');
      const record = this.registry.newRecord(pin.node);
      const owner = {
        counters: this.messages,
        handlers: this.handlers,
        streams: this.streams,
        routesOf: ({ node }: EngineSession) => this.relay.requestsOf(node),
      };
      this.admit(new EngineSession({ session, control, hello, pin, remote, host, record }, owner));
      visitor.admit();
    } catch (error) {
      this.turnAway(session, control, error, remote);
    }
  }

  private admit(engine: EngineSession): void {
    const older = this.registry.engineOfNode(engine.node);
    if (older) {
      this.counters.replaced++;
      this.drop(older, 'replaced by a newer session of the same engine');
      void older.close('replaced by a newer session of the same engine');
    }
    this.counters.joins++;
    this.registry.add(engine);
    this.peers.add(engine);
    const { name, node, remote, version } = engine;
    this.report(`up ${name}`, `engine ${name} joined`, { node, remote, version }, 'info');
    for (const observer of this.observers) observer.engineUp?.(engine);
    void engine.ended().then(({ reason, left }) => this.drop(engine, reason, left));
  }

  /** Forgets an engine, unless a newer session has taken its place. */
  private drop(engine: EngineSession, reason: string, left = false): void {
    if (!this.registry.remove(engine)) return;
    this.peers.remove(engine);
    this.counters.lost++;
    const { name, node, remote } = engine;
    if (left) this.log.info(`engine ${name} has left`, { node, remote });
    else this.report(`down ${name}`, `engine ${name} is gone`, { node, remote, reason });
    for (const observer of this.observers) observer.engineDown?.(engine, reason);
  }

  private turnAway(session: TypedSession, control: MessageStream, error: unknown, remote: string): void {
    const reason = messageOf(error);
    if (!(error instanceof Refused)) {
      this.counters.brokenJoins++;
      this.report('broken', 'a join broke off', { remote, reason });
      void session.session.close(new MuxError('protocol', reason));
      return;
    }
    this.counters.refused[error.code]++;
    this.report(error.code, `a join was refused: ${error.code}`, { remote, reason });
    control.send({ t: 'refused', code: error.code, text: reason });
    control.close();
    void session.session.drain(reason);
    setTimeout(() => void session.session.close(), REFUSED_MS).unref();
  }

  /** Logs what peers cause, at a bounded rate for each key. */
  private report(
    key: string,
    message: string,
    fields: Record<string, unknown>,
    level: 'info' | 'warn' = 'warn',
  ): void {
    const suppressed = this.throttle.pass(key);
    if (suppressed >= 0) this.log[level](message, { ...fields, ...(suppressed > 0 && { suppressed }) });
  }
}

/** One client's outcome as a promise. */
function settle(resolve: (failure: Failure | undefined) => void) {
  return (success: number, _fail: number, error?: string): void =>
    resolve(success > 0 ? undefined : new Failure(error ?? 'internal: no reason was told'));
}
