/** The engine's link to the centre: dialled, joined, watched, and opened again whenever it ends. */

import type { KeyObject } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import type { RegistryAddress } from '../config/address.js';
import { MoonwireError, messageOf } from '../errors.js';
import type { Logger } from '../log.js';
import { Heartbeat, type MuxStream, Session, TypedSession } from '../mux/index.js';
import { type RetryOptions, retryDelay } from '../transports/keepopen.js';
import { type DialOptions, describeAddress, dial } from './dial.js';
import { type Joiner, JoinRefused, join } from './join.js';
import { MessageStream, newMessageCounters } from './message-stream.js';
import { type Peer, type PeersMessage, STREAM, type WelcomeMessage } from './messages.js';
import type { Registration } from './registration.js';
import { type RequestHandler, Requests } from './requests.js';
import { describeEnd, readableText } from './session-end.js';

/** A centre that comes back has all of its engines again within seconds. */
const UPLINK_RETRY: RetryOptions = { minSeconds: 1, maxSeconds: 15, stableSeconds: 30 };
/** Most peers kept; a centre has fewer. */
const MAX_PEERS = 20_000;

/** What the uplink is told. */
export interface UplinkOptions {
  /** Addresses of the centre, tried in turn from the first on. */
  readonly addresses: readonly RegistryAddress[];
  readonly tls?: DialOptions['tls'];
  readonly name: string;
  /** The program's version. */
  readonly version: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly joinToken?: string | undefined;
  /** Seconds, as in the configuration. */
  readonly heartbeat: { readonly interval: number; readonly tolerance: number };
  /** What other engines are told, "host:port"; read at each join. An empty host is the address the centre sees. */
  advertise?(): { mesh?: string | undefined; api?: string | undefined };
  /** Waits between rounds through the addresses. */
  readonly retry?: RetryOptions;
  /** Seconds to wait after a refusal that only a person can change; 60. */
  readonly refusedSeconds?: number;
  /** Milliseconds a connection and the join over it may each take; 10,000. */
  readonly timeoutMs?: number;
}

/** What the uplink uses. */
export interface UplinkParts {
  readonly log: Logger;
  /** Key and node number of this engine, kept in its store. */
  readonly identity: {
    readonly publicKey: Uint8Array;
    readonly privateKey: KeyObject;
    readonly node: number;
    setNode(node: number): Promise<void>;
  };
  readonly registration: Registration;
  readonly owner: UplinkOwner;
}

/** Who is told what becomes of the uplink. */
export interface UplinkOwner {
  /** Joined: streams may be opened. The identity has the node number. */
  up(welcome: WelcomeMessage): void;
  /** The session has ended; another one is being sought. */
  down(reason: string): void;
  /** The other engines, all of them, after each join and whenever they change. */
  peers(list: readonly Peer[]): void;
}

/** Where the uplink stands, for health and metrics. */
export interface UplinkState {
  readonly connected: boolean;
  /** Unix seconds since when it is connected, or is not. */
  readonly since: number;
  /** The address connected to, or tried last. */
  readonly address: string | undefined;
  /** Attempts since it was last connected. */
  readonly attempts: number;
  readonly lastError: string | undefined;
  /** The last round trip of a heartbeat. */
  readonly roundTripMs: number | undefined;
}

/** Rising for ever; names are metric labels. */
export interface UplinkCounters {
  attempts: number;
  joins: number;
  refused: number;
  /** Sessions that ended without being asked to. */
  flaps: number;
}

/** A session that has joined. */
interface Joined {
  readonly session: TypedSession;
  readonly heartbeat: Heartbeat;
  readonly requests: Requests;
}

/** The uplink. */
export class Uplink {
  readonly counters: UplinkCounters = { attempts: 0, joins: 0, refused: 0, flaps: 0 };
  readonly messages = newMessageCounters();

  private readonly handlers = new Map<string, RequestHandler>();
  private readonly streamHandlers = new Map<number, (stream: MuxStream) => void>();
  private readonly peers = new Map<number, Peer>();
  private readonly stopping = new AbortController();
  private running: Promise<void> | undefined;
  private joined: Joined | undefined;
  private since = Date.now() / 1000;
  private address: string | undefined;
  private attempts = 0;
  private lastError: string | undefined;

  constructor(
    private readonly options: UplinkOptions,
    private readonly parts: UplinkParts,
  ) {}

  get state(): UplinkState {
    return {
      connected: this.joined !== undefined,
      since: this.since,
      address: this.address,
      attempts: this.attempts,
      lastError: this.lastError,
      roundTripMs: this.joined?.heartbeat.roundTripMs,
    };
  }

  /** Begins; without an address it does nothing. The centre need not be there. */
  start(): void {
    if (this.options.addresses.length > 0) this.running ??= this.run();
  }

  /** Ends the session and seeks no other. Never fails. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  /** Asks the centre; rejects as {@link Requests.request} does, with `not_connected` while there is none. */
  async request(method: string, params?: unknown): Promise<unknown> {
    return this.live().requests.request(method, params);
  }

  /** Answers requests of the centre. */
  handle(method: string, handler: RequestHandler): void {
    this.handlers.set(method, handler);
  }

  /** Opens a stream of a type of {@link STREAM}. Throws MoonwireError `not_connected`, or a MuxError. */
  openStream(type: number): MuxStream {
    return this.live().session.open(type);
  }

  /** Takes streams of a type that the centre opens; to be called before `start`. */
  onStream(type: number, handler: (stream: MuxStream) => void): void {
    this.streamHandlers.set(type, handler);
  }

  private live(): Joined {
    if (!this.joined) throw new MoonwireError('not_connected', 'there is no connection to the centre');
    return this.joined;
  }

  private async run(): Promise<void> {
    const { addresses, retry = UPLINK_RETRY, refusedSeconds = 60 } = this.options;
    // Rounds through the addresses since the last session that lasted.
    for (let round = 0; !this.stopping.signal.aborted; round++) {
      let refused = false;
      for (const address of addresses) {
        if (this.stopping.signal.aborted) return;
        const began = performance.now();
        const result = await this.attempt(address);
        if (result === 'ended' && performance.now() - began > retry.stableSeconds * 1000) round = -1;
        // After a session the first address comes first again.
        if (result === 'ended') break;
        refused ||= result === 'refused';
      }
      const seconds = refused
        ? refusedSeconds * (1 - Math.random() / 2)
        : retryDelay(Math.max(0, round), retry, Math.random());
      // Unlike a timer without reference, this keeps the process alive: an engine may do nothing else.
      await wait(seconds * 1000, undefined, { signal: this.stopping.signal }).catch(() => {});
    }
  }

  /** One connection: joins and stays until it ends. Never rejects. */
  private async attempt(address: RegistryAddress): Promise<'failed' | 'refused' | 'ended'> {
    const { log } = this.parts;
    this.address = describeAddress(address);
    this.attempts++;
    this.counters.attempts++;
    const { signal } = this.stopping;
    let session: TypedSession | undefined;
    const close = (): void => void session?.session.close();
    signal.addEventListener('abort', close);
    try {
      const { tls, timeoutMs } = this.options;
      const transport = await dial(address, { signal, ...(tls && { tls }), ...(timeoutMs && { timeoutMs }) });
      session = new TypedSession(new Session(transport, { role: 'client' }));
      await this.join(session);
    } catch (error) {
      signal.removeEventListener('abort', close);
      const closed = session?.session.close();
      if (signal.aborted) {
        await closed;
        return 'failed';
      }
      this.lastError = messageOf(error);
      const final = error instanceof JoinRefused && error.code !== 'overloaded';
      if (error instanceof JoinRefused) this.counters.refused++;
      const fields = { address: this.address, reason: this.lastError };
      if (final) log.error('the centre refuses this engine', fields);
      else if (this.attempts <= this.options.addresses.length) log.warn('the centre is not reached', fields);
      else log.debug('the centre is not reached', fields);
      return final ? 'refused' : 'failed';
    }
    const end = await session.session.closed;
    signal.removeEventListener('abort', close);
    this.ended(describeEnd(end));
    return 'ended';
  }

  private async join(session: TypedSession): Promise<void> {
    const { interval, tolerance } = this.options.heartbeat;
    const heartbeat = new Heartbeat(session, { intervalMs: interval * 1000, toleranceMs: tolerance * 1000 });
    for (const [type, handler] of this.streamHandlers) session.handle(type, handler);
    session.on('stream', (stream) => stream.on('error', () => {}).reset('stream_refused'));
    const control = new MessageStream(session.open(STREAM.control), { counters: this.messages });
    // The centre's last words say more than the end of a stream does.
    let farewell = '';
    session.on('goaway', (_error, debug) => {
      farewell = readableText(debug);
    });
    const timeoutMs = this.options.timeoutMs ?? 10_000;
    const late = setTimeout(() => control.reset(`the join took longer than ${timeoutMs} ms`), timeoutMs);
    try {
      await join(control, this.joiner(), (welcome) =>
        this.welcomed({ session, heartbeat }, control, welcome),
      );
    } catch (error) {
      if (farewell === '' || error instanceof JoinRefused) throw error;
      throw new MoonwireError('not_connected', `${messageOf(error)} (${farewell})`);
    } finally {
      clearTimeout(late);
    }
  }

  private joiner(): Joiner {
    const { name, version, labels, joinToken, heartbeat, advertise } = this.options;
    const { publicKey, privateKey, node } = this.parts.identity;
    const silence = Math.ceil(heartbeat.interval + heartbeat.tolerance);
    return {
      ...{ name, version, labels, joinToken, publicKey, privateKey, node, silence },
      ...advertise?.call(this.options),
    };
  }

  private welcomed(
    { session, heartbeat }: Omit<Joined, 'requests'>,
    control: MessageStream,
    welcome: WelcomeMessage,
  ): void {
    const { identity, registration, log, owner } = this.parts;
    const requests = new Requests(control, this.handlers);
    control.onmessage = (message) => {
      if (message.t === 'resend') registration.resend();
      else if (message.t === 'peers') this.changePeers(message);
      else if (!requests.receive(message)) control.refuse(message);
    };
    control.onclose = (error) => {
      requests.end();
      registration.detach();
      // Without control the session is of no use.
      if (error) log.warn('the control stream ended', { reason: error.message });
      void session.session.close();
    };
    heartbeat.start();
    this.joined = { session, heartbeat, requests };
    this.since = Date.now() / 1000;
    this.attempts = 0;
    this.lastError = undefined;
    this.counters.joins++;
    if (identity.node !== welcome.node) {
      identity.setNode(welcome.node).catch((error: unknown) => {
        log.error('the node number could not be kept', { reason: messageOf(error) });
      });
    }
    log.info('joined the centre', { address: this.address, node: welcome.node });
    owner.up(welcome);
    registration.attach(control);
    this.peers.clear();
    this.changePeers(welcome);
  }

  private changePeers({ peers, gone }: Pick<PeersMessage, 'peers' | 'gone'>): void {
    for (const node of gone ?? []) this.peers.delete(node);
    for (const peer of peers) {
      if (peer.node === this.parts.identity.node) continue;
      // A copy of the key, which is else a part of the whole message.
      const own = { ...peer, key: Uint8Array.from(peer.key) };
      if (this.peers.size < MAX_PEERS || this.peers.has(peer.node)) this.peers.set(peer.node, own);
    }
    this.parts.owner.peers([...this.peers.values()]);
  }

  private ended(reason: string): void {
    this.joined = undefined;
    this.since = Date.now() / 1000;
    if (!this.stopping.signal.aborted) {
      this.counters.flaps++;
      this.lastError = reason;
      this.parts.log.warn('the centre is away', { address: this.address, reason });
    }
    this.parts.owner.down(reason);
  }
}
