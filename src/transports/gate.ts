/** Whom a server lets in: how many at once, how many a second, how many from one address. */

import { addressGroup } from './address.js';
import type { ListenerCounters } from './connection.js';
import type { HandshakePool } from './handshakepool.js';
import { TokenBucket } from './tokenbucket.js';

/** Limits of one server, all of its peers together and those of one address; IPv6 addresses count by their /64. */
export interface GateLimits {
  /** Most open connections, or peers. Default 10,000. */
  connections?: number | undefined;
  /** Most new ones a second, with a burst of one second's worth; more are refused. Default 1000. */
  acceptsPerSecond?: number | undefined;
  /** Most open ones from one address; 0: no limit. Default 0. */
  connectionsPerAddress?: number | undefined;
  /** Most new ones a second from one address, with a burst of one second's worth; 0: no limit. Default 0. */
  acceptsPerSecondPerAddress?: number | undefined;
  /** What this server shares with others. Default: nothing. */
  totals?: ListenerTotals | undefined;
}

/** Limits that hold for several servers together; their owner knows what is open at all of them. */
export interface ListenerTotals {
  /** Why nobody may come in now, or undefined, and then one more has. */
  admit():
    | {
        readonly counter: 'refusedTotal' | 'refusedTotalRate' | 'refusedOverload' | 'refusedMemory';
        why: string;
      }
    | undefined;
  /** TLS handshakes of all of them. */
  readonly handshakes: HandshakePool;
}

/** The counters of refusals of a {@link Gate}. */
type RefusalCounter = Extract<keyof ListenerCounters, `refused${string}`>;

/** Why one was not let in, which is counted already: for the log. */
export interface Refusal {
  readonly counter: RefusalCounter;
  readonly why: string;
}

/** What is known of an address from which somebody is here, or came within the last second. */
interface Visitor {
  open: number;
  readonly arrivals: TokenBucket | undefined;
}

/** Addresses that are remembered although nobody from there is here. */
const MAX_STRANGERS = 16_384;
/** How often those are looked for that can be forgotten, in milliseconds: a bucket is full again after a second. */
const SWEEP_MS = 1000;

export class Gate {
  private readonly rate: number;
  private readonly arrivals: TokenBucket;
  private readonly perAddress: number;
  private readonly ratePerAddress: number;
  /** Undefined where addresses have no limits: then nobody needs to be told that a connection is over. */
  private readonly visitors: Map<string, Visitor> | undefined;
  private readonly most: number;
  private swept = performance.now();

  constructor(
    private readonly limits: GateLimits,
    private readonly counters: ListenerCounters,
  ) {
    this.rate = limits.acceptsPerSecond ?? 1000;
    this.arrivals = new TokenBucket(this.rate);
    this.perAddress = limits.connectionsPerAddress || Number.POSITIVE_INFINITY;
    this.ratePerAddress = limits.acceptsPerSecondPerAddress ?? 0;
    const counts = this.perAddress !== Number.POSITIVE_INFINITY || this.ratePerAddress > 0;
    this.visitors = counts ? new Map() : undefined;
    this.most = (limits.connections ?? 10_000) + MAX_STRANGERS;
  }

  /** Whether it is to be told of each end, by {@link left}. */
  get counts(): boolean {
    return this.visitors !== undefined;
  }

  /**
   * Lets one in who comes from `host`, or counts and tells why not. One address is looked at before all of them, so
   * that a single peer cannot use up what others may.
   */
  admit(host: string, now = performance.now()): Refusal | undefined {
    const refusal = this.refusalAt(host, now) ?? this.refusalHere(now) ?? this.limits.totals?.admit();
    if (refusal) this.counters[refusal.counter]++;
    else if (this.visitors) this.visitors.get(addressGroup(host))!.open++;
    return refusal;
  }

  /** One is here who was let in elsewhere. */
  arrived(host: string): void {
    if (this.visitors) this.visitorAt(this.visitors, addressGroup(host)).open++;
  }

  /** One who was let in from `host` is gone. */
  left(host: string): void {
    const group = addressGroup(host);
    const visitor = this.visitors?.get(group);
    if (!visitor) return;
    visitor.open--;
    if (visitor.open === 0 && !visitor.arrivals) this.visitors!.delete(group);
  }

  private refusalAt(host: string, now: number): Refusal | undefined {
    const { visitors } = this;
    if (!visitors) return undefined;
    const group = addressGroup(host);
    let visitor = visitors.get(group);
    if (!visitor) {
      this.sweep(visitors, now);
      if (visitors.size >= this.most) return { counter: 'refusedAddress', why: 'too many addresses came' };
      visitor = this.visitorAt(visitors, group);
    }
    if (visitor.open >= this.perAddress)
      return {
        counter: 'refusedAddress',
        why: `${group} has ${this.perAddress} open, the most an address may`,
      };
    if (visitor.arrivals && !visitor.arrivals.take(now))
      return {
        counter: 'refusedAddressRate',
        why: `more than ${this.ratePerAddress} new ones a second from ${group}`,
      };
    return undefined;
  }

  private visitorAt(visitors: Map<string, Visitor>, group: string): Visitor {
    const known = visitors.get(group);
    if (known) return known;
    const { ratePerAddress } = this;
    const visitor = { open: 0, arrivals: ratePerAddress > 0 ? new TokenBucket(ratePerAddress) : undefined };
    visitors.set(group, visitor);
    return visitor;
  }

  private refusalHere(now: number): Refusal | undefined {
    if (this.arrivals.take(now)) return undefined;
    return { counter: 'refusedRate', why: `more than ${this.rate} new ones a second` };
  }

  /** Forgets those of whom nobody is here and who may come as if they never had. */
  private sweep(visitors: Map<string, Visitor>, now: number): void {
    if (now - this.swept < SWEEP_MS) return;
    this.swept = now;
    for (const [group, { open, arrivals }] of visitors) {
      if (open === 0 && (arrivals?.isFull(now) ?? true)) visitors.delete(group);
    }
  }
}
