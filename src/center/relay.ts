/** Requests of engines and of the centre's API to clients, carried to the engines that have them. */

import { nodeOf } from '../store/ids.js';
import type { Done, Route, RouteRequests } from '../uplink/routes.js';
import { PUBLISH_WAIT_MS, Tally } from '../uplink/tally.js';

/** What the relay looks up. */
export interface RelayIndex {
  engineOfNode(node: number): { readonly route: Route | undefined } | undefined;
  nodesOf(channel: string): Iterable<number>;
}

/** Rising for ever; names are metric labels. */
export interface RelayCounters {
  sends: number;
  calls: number;
  publishes: number;
  /** Copies of published messages handed to engines. */
  copies: number;
  /** Requests whose engine is not connected, or does not take requests yet. */
  unreachable: number;
}

/** The relay. Never waits for one engine on behalf of another: what an engine does not take in time fails. */
export class Relay {
  readonly counters: RelayCounters = { sends: 0, calls: 0, publishes: 0, copies: 0, unreachable: 0 };

  constructor(private readonly index: RelayIndex) {}

  /** The requests of one sender: the node of an engine, or 0 for the centre itself. */
  requestsOf(sender: number): RouteRequests {
    return {
      send: (client, message, done) => {
        this.counters.sends++;
        this.routeTo(nodeOf(client), done)?.send(client, message, done);
      },
      call: (client, fn, args, done) => {
        this.counters.calls++;
        this.routeTo(nodeOf(client), done)?.call(client, fn, args, done);
      },
      publish: (channel, message, except, done) => {
        this.counters.publishes++;
        const left = new Set(except).add(sender);
        const tally = new Tally(PUBLISH_WAIT_MS.relay, done);
        for (const node of this.index.nodesOf(channel)) {
          if (left.has(node)) continue;
          this.counters.copies++;
          const add = tally.expect();
          this.routeTo(node, add)?.publish(channel, message, [], add);
        }
        tally.complete();
      },
    };
  }

  private routeTo(node: number, done: Done): Route | undefined {
    const engine = this.index.engineOfNode(node);
    if (engine?.route?.open) return engine.route;
    this.counters.unreachable++;
    const state = engine ? 'takes no messages yet' : 'is not connected';
    done(0, 1, `not_connected: node ${node} ${state}`);
    return undefined;
  }
}
