/**
 * The mesh: how this engine reaches clients of the others, directly where it can, else through the relay at the
 * centre (design §1, §9).
 */

import type { ConnCall, LocalClients, OtherNodes, Outgoing, Published } from '../engine/mesh.js';
import { type ErrorCode, Failure } from '../errors.js';
import type { MuxStream } from '../mux/index.js';
import { nodeOf } from '../store/ids.js';
import type { Attempt, PathName } from './mesh-path.js';
import { MeshPeers, type MeshPeersOptions, type MeshSessionCounters } from './mesh-peers.js';
import { MessageStream } from './message-stream.js';
import type { Peer } from './messages.js';
import { type Done, localRequests, Route, type RouteRequests } from './routes.js';
import { PUBLISH_WAIT_MS, Tally } from './tally.js';

/** What a mesh is given. */
export interface MeshOptions extends MeshPeersOptions {
  /** Answers what other engines ask. */
  readonly local: LocalClients;
  /** Told the seconds that each send (`forward`: one through the centre) and each publish took. */
  readonly took?: (scenario: 'mesh_send' | 'mesh_publish' | 'forward', seconds: number) => void;
}

/** Counters of a mesh, rising for ever; names are metric labels. */
export interface MeshCounters {
  /** Sends and calls by their path; `none`: there was none, and they failed at once. */
  readonly sends: Readonly<Record<PathName, number>>;
  /** Published messages sent to another engine, and to the relay. */
  readonly publishes: Readonly<Record<'direct' | 'relay', number>>;
  /** Requests that failed, by the code of the reason. */
  readonly failures: Readonly<Partial<Record<ErrorCode, number>>>;
  readonly sessions: MeshSessionCounters;
}

/** The way to one other engine, for people and metrics. */
export interface MeshPeerState {
  readonly node: number;
  readonly name: string;
  readonly path: PathName;
  /** Of the last heartbeat of the session with it. */
  readonly roundTripMs: number | undefined;
  /** Requests to it that are not done yet. */
  readonly outstanding: number;
}

/** The mesh of one engine. */
export class Mesh implements OtherNodes {
  private readonly nodes: MeshPeers;
  private readonly requests: RouteRequests;
  private readonly sends = { direct: 0, relay: 0, none: 0 };
  private readonly publishes = { direct: 0, relay: 0 };
  private readonly failures: Partial<Record<ErrorCode, number>> = {};

  constructor(private readonly options: MeshOptions) {
    this.requests = localRequests(options.local);
    this.nodes = new MeshPeers(options, this.requests);
  }

  /** Opens the mesh point. Rejects with a MoonwireError `conflict` when that is impossible. */
  start(): Promise<void> {
    return this.nodes.start();
  }

  /** Ends all sessions; requests under way fail. */
  async stop(): Promise<void> {
    this.nodes.relay?.close();
    await this.nodes.stop();
  }

  /** The port of the mesh point; undefined when this engine has none. */
  get port(): number | undefined {
    return this.nodes.port;
  }

  get counters(): MeshCounters {
    const { sends, publishes, failures, nodes } = this;
    return {
      sends: { ...sends },
      publishes: { ...publishes },
      failures: { ...failures },
      sessions: nodes.counters,
    };
  }

  /** Every engine the centre names, or that has a session with this one. */
  state(): MeshPeerState[] {
    return [...this.nodes].map(({ info: { node, name }, path, session }) => ({
      node,
      name,
      path: path.name,
      roundTripMs: session?.roundTripMs,
      outstanding: path.outstanding,
    }));
  }

  /** The engines of the mesh as the centre names them now, this one included or not. */
  peers(list: readonly Peer[]): void {
    this.nodes.update(list);
  }

  /** A stream of type route to the centre, which relays; to be given anew for each uplink. Its end is noticed. */
  relay(stream: MuxStream): void {
    const route = new Route(new MessageStream(stream), this.requests, this.options.route);
    const last = this.nodes.relay;
    this.nodes.relay = route;
    // Its end makes the paths look for another way; that of a route which was replaced concerns nobody.
    route.onclose = () => {
      if (!this.nodes.relay) this.nodes.relay = undefined;
    };
    last?.close();
  }

  /** A channel got its first subscriber here. */
  channelOpened(name: string): void {
    this.nodes.channelChanged(name, true);
  }

  /** A channel lost its last subscriber here. */
  channelClosed(name: string): void {
    this.nodes.channelChanged(name, false);
  }

  send(id: number, message: Outgoing): Promise<Failure | undefined> {
    return this.request(id, message.data, (route, done) => route.send(id, message, done));
  }

  call(id: number, fn: ConnCall, args: readonly unknown[]): Promise<Failure | undefined> {
    return this.request(id, args, (route, done) => route.call(id, fn, args, done));
  }

  /**
   * One copy goes to each engine with subscribers: directly to those whose announcements name the channel, and once
   * to the centre for all that have no session with this one. An engine that is known to have subscribers and cannot
   * be reached, or does not answer in time, counts as one failure.
   */
  publish(channel: string, message: Outgoing): Promise<Published> {
    const began = performance.now();
    return new Promise((resolve) => {
      const tally = new Tally(PUBLISH_WAIT_MS.engine, (success, fail) => {
        this.options.took?.('mesh_publish', (performance.now() - began) / 1000);
        resolve({ success, fail });
      });
      const failed: Done = (_success, _fail, error) => this.countFailure(error);
      const except: number[] = [];
      const relayed: (() => void)[] = [];
      for (const { info, path, channels } of this.nodes) {
        if (path.name === 'direct') {
          except.push(info.node);
          if (!channels?.has(channel)) continue;
          this.publishes.direct++;
          path.request({
            attempt: (route, ended) => route.publish(channel, message, [], ended),
            done: tally.expect(failed),
            data: message.data,
            directOnly: true,
          });
        } else if (path.name === 'relay') {
          relayed.push(path.relayed());
        } else if (channels?.has(channel)) {
          tally.expect()(0, 1);
        }
      }
      // Where every engine has a session with this one, the centre has nothing to do.
      if (relayed.length > 0 && this.nodes.relay) {
        this.publishes.relay++;
        const done = tally.expect(failed);
        this.nodes.relay.publish(channel, message, except, (reached, missed, error) => {
          for (const end of relayed) end();
          done(reached, missed, error);
        });
      }
      tally.complete();
    });
  }

  private request(id: number, data: unknown, attempt: Attempt): Promise<Failure | undefined> {
    const began = performance.now();
    return new Promise((resolve) => {
      const node = nodeOf(id);
      const path = this.nodes.get(node)?.path;
      const { relay } = this.nodes;
      const name = path?.name ?? (relay ? 'relay' : 'none');
      this.sends[name]++;
      const done: Done = (success, _fail, error) => {
        if (name !== 'none')
          this.options.took?.(name === 'relay' ? 'forward' : 'mesh_send', (performance.now() - began) / 1000);
        this.countFailure(error);
        resolve(success > 0 ? undefined : new Failure(error ?? `not_connected: no client ${id}`));
      };
      if (path) path.request({ attempt, done, data });
      // The centre may know an engine that it has not named yet.
      else if (relay) attempt(relay, done);
      else done(0, 1, `not_connected: node ${node} is not known, and the centre is away`);
    });
  }

  private countFailure(error: string | undefined): void {
    if (error === undefined) return;
    const { code } = new Failure(error);
    this.failures[code] = (this.failures[code] ?? 0) + 1;
  }
}
