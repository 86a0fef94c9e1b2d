/**
 * Messages to clients of any node. The engine reaches its own clients itself; how it reaches those of other nodes
 * is its owner's affair.
 */

import { Failure } from '../errors.js';
import type { Histogram } from './histogram.js';

/** A message for clients. `data`: plain values; text as string, bytes as Uint8Array. */
export interface Outgoing {
  readonly data: unknown;
  /** How a WebSocket client gets it; default: text for a string, binary for bytes. */
  readonly type?: 'text' | 'binary' | undefined;
  /** What MQTT says of it; told to subscribers of this engine, not of others. */
  readonly mqtt?: MqttFacts;
}

/** What a message that was published by MQTT has beside its topic and payload. */
export interface MqttFacts {
  readonly qos: 0 | 1 | 2;
  readonly retain: boolean;
  readonly properties: object | undefined;
  /** On the clock of `performance.now`. */
  readonly expiresAt: number | undefined;
  /** The subscriber that published it. */
  readonly from: object;
}

/** How many clients a published message reached, and how many it should have reached and did not. */
export interface Published {
  readonly success: number;
  readonly fail: number;
}

/** What may be called on a client from outside its script. */
export const CONN_CALLS = ['set_context_value', 'set_context', 'subscribe', 'unsubscribe'] as const;
/** One of them. */
export type ConnCall = (typeof CONN_CALLS)[number];

/** How the engine reaches clients of other nodes; given by its owner. None of these rejects. */
export interface OtherNodes {
  send(id: number, message: Outgoing): Promise<Failure | undefined>;
  publish(channel: string, message: Outgoing): Promise<Published>;
  call(id: number, fn: ConnCall, args: readonly unknown[]): Promise<Failure | undefined>;
}

/** What other nodes ask of this one. */
export interface LocalClients {
  deliver(id: number, message: Outgoing): Failure | undefined | Promise<Failure | undefined>;
  fanOut(channel: string, message: Outgoing): Published;
  call(id: number, fn: ConnCall, args: readonly unknown[]): Failure | undefined;
}

/** Which way a message took: the labels of send durations. */
export type SendScenario = 'local' | 'forward' | 'mesh_send' | 'mesh_publish';

/** Sends to clients of all nodes. */
export class Mesh {
  /** Clients of other nodes; undefined for an engine that stays alone. Counts their times itself. */
  others: OtherNodes | undefined;

  constructor(
    private readonly local: LocalClients & { has(id: number): boolean },
    /** Whether a client id is one of this node's, open or not. */
    private readonly isOwn: (id: number) => boolean,
    private readonly localTimes: Histogram,
  ) {}

  /**
   * Sends to one client. Resolves to a {@link Failure} when it is not there (`not_connected`), does not take it
   * (`queue_full`), its protocol refuses it, or its node does not answer (`timeout`). Never rejects.
   */
  send(id: number, message: Outgoing): Promise<Failure | undefined> {
    if (this.isHere(id)) return this.here(() => this.local.deliver(id, message));
    return this.others?.send(id, message) ?? alone(id);
  }

  /** Calls a function of one client; resolves as {@link send} does. */
  call(id: number, fn: ConnCall, args: readonly unknown[]): Promise<Failure | undefined> {
    if (this.isHere(id)) return this.here(() => this.local.call(id, fn, args));
    return this.others?.call(id, fn, args) ?? alone(id);
  }

  /** Sends to the subscribers of a channel on all nodes. Never rejects. */
  async publish(channel: string, message: Outgoing): Promise<Published> {
    // Other nodes first, so that they work while this one does.
    const elsewhere = this.others?.publish(channel, message);
    const here = await this.here(() => this.local.fanOut(channel, message));
    if (elsewhere === undefined) return here;
    const there = await elsewhere;
    return { success: here.success + there.success, fail: here.fail + there.fail };
  }

  private isHere(id: number): boolean {
    return this.local.has(id) || this.isOwn(id);
  }

  /** Later, since a script that sends must end its turn first: encoding may run a function of the same VM. */
  private async here<T>(send: () => T | Promise<T>): Promise<T> {
    await undefined;
    const began = performance.now();
    const sent = send();
    const result = sent instanceof Promise ? await sent : sent;
    this.localTimes.add((performance.now() - began) / 1000);
    return result;
  }
}

async function alone(id: number): Promise<Failure> {
  return new Failure(`not_connected: no client ${id} here, and no other node is known`);
}
