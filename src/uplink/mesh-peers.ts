/**
 * The other engines and the sessions with them: who may have one, which of two stays, and what is announced on all.
 */

import type { Logger } from '../log.js';
import type { TypedSession } from '../mux/index.js';
import { type DialSlots, type MeshDialOptions, MeshPeer } from './mesh-peer.js';
import { MeshPoint, type MeshPointOptions } from './mesh-point.js';
import type { MeshRefusal, MeshSelf } from './mesh-proof.js';
import { MeshSession } from './mesh-session.js';
import type { MessageStream } from './message-stream.js';
import type { Peer } from './messages.js';
import { announceChanges } from './peer-channels.js';
import { isSameKey } from './proof.js';
import type { Route, RouteOptions, RouteRequests } from './routes.js';

/** What the sessions of a mesh are given. */
export interface MeshPeersOptions {
  readonly self: MeshSelf;
  /** All channels with subscribers here. */
  readonly channels: () => Iterable<string>;
  readonly log: Logger;
  /** Where other engines arrive; none: this engine only dials. */
  readonly point?: MeshPointOptions;
  /** Milliseconds between heartbeats, and of further silence after which a session is dead; 10,000 and 15,000. */
  readonly heartbeat?: { readonly intervalMs: number; readonly toleranceMs: number };
  readonly dial?: MeshDialOptions;
  readonly route?: RouteOptions;
}

/** Counters of the sessions of a mesh, rising for ever; names are metric labels. */
export interface MeshSessionCounters {
  /** Sessions that both ends proved. */
  opened: number;
  /** Sessions that did not come about, by the reason; `limit`: too many at a time. */
  readonly refused: Partial<Record<MeshRefusal['code'] | 'limit', number>>;
  /** How often requests to a node went another way than before. */
  pathChanges: number;
}

/** Most other engines; those beyond are reached through the relay only. */
const MAX_PEERS = 10_000;
/** Most engines dialled at a time, so that joining a large mesh is no burst. */
const MAX_DIALS = 16;
const HEARTBEAT = { intervalMs: 10_000, toleranceMs: 15_000 };

/** The other engines. */
export class MeshPeers {
  private readonly nodes = new Map<number, MeshPeer>();
  private readonly sessions = new Set<MeshSession>();
  private readonly point: MeshPoint | undefined;
  private readonly refusals: MeshSessionCounters['refused'] = {};
  private readonly slots: DialSlots = { free: MAX_DIALS };
  private opened = 0;
  /** Path changes of peers that were forgotten. */
  private pastChanges = 0;
  private relayRoute: Route | undefined;
  /** Channels that changed in this turn: whether they have subscribers now. */
  private readonly changes = new Map<string, boolean>();
  private announcing: NodeJS.Immediate | undefined;

  constructor(
    private readonly options: MeshPeersOptions,
    private readonly requests: RouteRequests,
  ) {
    const { point, self, log } = options;
    this.point =
      point &&
      new MeshPoint(
        point,
        self,
        {
          find: (key, name) => this.find(key, name),
          admits: (peer, since) => this.admits(peer, since),
          proved: (peer, typed, control) => this.prove(this.nodes.get(peer.node), false, typed, control),
          refused: (refusal) => this.countRefusal(refusal),
        },
        log,
      );
  }

  /** Listens for other engines. Rejects with a MoonwireError when that is impossible. */
  async start(): Promise<void> {
    await this.point?.start();
  }

  /** Ends all sessions and listens no more. */
  async stop(): Promise<void> {
    clearImmediate(this.announcing);
    for (const peer of this.nodes.values()) peer.close('this engine stops');
    await this.point?.stop();
  }

  /** The port of the mesh point; undefined when there is none. */
  get port(): number | undefined {
    return this.point?.port;
  }

  get counters(): MeshSessionCounters {
    let { pastChanges: pathChanges } = this;
    for (const { path } of this.nodes.values()) pathChanges += path.changes;
    const limit = this.point?.counters.refusedLimit;
    return { opened: this.opened, refused: { ...this.refusals, ...(limit && { limit }) }, pathChanges };
  }

  get(node: number): MeshPeer | undefined {
    return this.nodes.get(node);
  }

  [Symbol.iterator](): IterableIterator<MeshPeer> {
    return this.nodes.values();
  }

  /** The route to the centre, for what no session reaches. */
  get relay(): Route | undefined {
    return this.relayRoute?.open ? this.relayRoute : undefined;
  }
  set relay(route: Route | undefined) {
    this.relayRoute = route;
    for (const peer of this.nodes.values()) peer.path.relay = route;
  }

  /**
   * The engines that the centre names now. One that it names no more is not dialled; a session with it goes on,
   * since it may only have lost its uplink.
   */
  update(list: readonly Peer[]): void {
    const { self, log, dial } = this.options;
    if (list.length > MAX_PEERS)
      log.warn('some engines are reached through the centre only', { engines: list.length, most: MAX_PEERS });
    const listed = new Map(list.slice(0, MAX_PEERS).map((info) => [info.node, info]));
    for (const peer of [...this.nodes.values()]) {
      const { node, key } = peer.info;
      if (listed.has(node)) continue;
      peer.listed = false;
      const renumbered = [...listed.values()].some((info) => isSameKey(info.key, key));
      if (!peer.session || renumbered) this.forget(peer);
    }
    for (const info of listed.values()) {
      if (info.node === self.node || isSameKey(info.key, self.publicKey)) continue;
      const known = this.nodes.get(info.node);
      if (known) {
        known.update(info);
        continue;
      }
      const peer = new MeshPeer(
        info,
        self,
        {
          dialled: (typed, control) => this.prove(peer, true, typed, control),
          refused: (refusal) => this.countRefusal(refusal),
        },
        log,
        this.slots,
        dial,
      );
      peer.path.relay = this.relayRoute;
      this.nodes.set(info.node, peer);
    }
  }

  /** A channel got its first subscriber here, or lost its last one. What changes in one turn is announced together. */
  channelChanged(name: string, open: boolean): void {
    this.changes.set(name, open);
    this.announcing ??= setImmediate(() => {
      this.announcing = undefined;
      const messages = [...announceChanges(this.changes)];
      this.changes.clear();
      for (const session of this.sessions) for (const message of messages) session.announce(message);
    });
  }

  private find(key: Uint8Array, name: string): Peer | undefined {
    for (const { info } of this.nodes.values()) {
      if (info.name === name && isSameKey(info.key, key)) return info;
    }
    return undefined;
  }

  /**
   * Whether a session dialled by a peer may take the place of the one that is up. A dialler gives up when it has a
   * session by the time it proves itself. So if ours was up before its hello came, it has lost that one, and the new
   * one counts; otherwise both dialled at the same time, and both ends keep the one dialled by the lower number.
   */
  private admits({ node }: Peer, helloAt: number): boolean {
    const session = this.nodes.get(node)?.session;
    return !session?.dialled || session.since < helloAt || node < this.options.self.node;
  }

  private prove(
    peer: MeshPeer | undefined,
    dialled: boolean,
    typed: TypedSession,
    control: MessageStream,
  ): void {
    const old = peer?.session;
    // Accepted while we were dialling: the rule of `admits`, from the other side.
    const unwanted = dialled && old && peer.info.node < this.options.self.node;
    if (!peer || unwanted || typed.session.endedBy) {
      void typed.session.close();
      return;
    }
    const { channels, heartbeat = HEARTBEAT, route = {}, log } = this.options;
    const { name, node } = peer.info;
    let session: MeshSession;
    try {
      session = new MeshSession(
        dialled,
        typed,
        control,
        { requests: this.requests, channels, heartbeat, route },
        {
          ready: () => {
            peer.channels = session.channels;
            peer.path.direct = session.route;
          },
          closed: (reason) => {
            log.info('mesh session ended', { engine: name, node, reason });
            this.sessions.delete(session);
            if (peer.session !== session) return;
            peer.path.direct = undefined;
            peer.session = undefined;
            if (!peer.listed) this.forget(peer);
          },
        },
      );
    } catch {
      // The peer said in the same moment that it goes away.
      void typed.session.close();
      return;
    }
    log.info('mesh session', { engine: name, node, dialled });
    this.opened++;
    this.sessions.add(session);
    peer.session = session;
    old?.close('a newer session took its place');
  }

  private forget(peer: MeshPeer): void {
    if (this.nodes.get(peer.info.node) !== peer) return;
    this.nodes.delete(peer.info.node);
    this.pastChanges += peer.path.changes;
    peer.close('the centre does not name this engine any more');
  }

  private countRefusal({ code }: MeshRefusal): void {
    this.refusals[code] = (this.refusals[code] ?? 0) + 1;
  }
}
