/**
 * Keeps the process from being ended for its memory, by the kernel or by V8: the nearer it comes to what it may have, the
 * more it gives up. See LIMITS.md.
 */

import type { Logger } from '../../log.js';
import type { Client } from '../client.js';
import type { Station } from '../station.js';
import { type Collect, collector } from './collect.js';
import { largest, restart } from './scripts.js';
import { shedClients } from './shed-clients.js';
import { cgroupBound, MemoryReader, type MemoryUse } from './use.js';

/** Milliseconds between two looks, one for each MiB of the heap: a small one is full sooner. */
const LOOK_MS = { least: 50, most: 250 };
/** Share from which it is looked so many times as often. */
const BUSY = 0.5;
const OFTEN = 4;
/** Shares of what may be had from which garbage is collected and nobody new let in, */
const HIGH = 0.8;
/** the script that keeps most is restarted, */
const RESTART = 0.85;
/** clients are closed where no script is to blame; */
const CLOSE = 0.9;
/** and below which all is well again, after so many milliseconds. */
const CALM = 0.7;
const CALM_MS = 1000;
/** Collections that have to find so much taken before clients are closed: memory outside of the heap comes back late. */
const TIGHT_LOOKS = 2;
/** Milliseconds between two collections; less while clients are closed, and when so much more is taken meanwhile. */
const COLLECT_MS = 10_000;
const CLOSE_MS = 1000;
const RISE = 0.03;
/** A script is to blame that keeps such a share of all memory. */
const TO_BLAME = 0.2;

/** What is done, each more than the one before it. */
export type Step = 'collect' | 'refuse' | 'restart_script' | 'close_client';

/** What there is to give up. */
export interface Guarded {
  stations(): readonly Station[];
  readonly clients: ReadonlyMap<number, Client>;
  /** Puts on disk what is in memory only to be fast. */
  shrink(): void;
}

/** How much there may be, and what is put in place of the usual in tests. */
export interface GuardOptions {
  /** Bytes that the process may have of its own; 0: any. Default: what its cgroup allows. */
  readonly max?: number | undefined;
  readonly use?: () => MemoryUse;
  readonly collect?: Collect;
}

export class MemoryGuard {
  /** How often each was done: rises for ever. */
  readonly counters: Record<Step, number> = { collect: 0, refuse: 0, restart_script: 0, close_client: 0 };
  /** Whether nobody new is let in. */
  refusing = false;
  /** Bytes that the process may have of its own. */
  readonly max: number;
  /** As it was at the last look. */
  use: MemoryUse;
  private readonly read: () => MemoryUse;
  private collect: Collect | undefined;
  private timer: NodeJS.Timeout | undefined;
  private collected = { at: Number.NEGATIVE_INFINITY, share: 0 };
  /** Garbage was collected, and what that gave is to be seen. */
  private judging = false;
  /** Collections in a row after which clients would have to go. */
  private tight = 0;
  /** Since when all seems well again, on the clock of `performance.now`. */
  private calmSince: number | undefined;
  private restarting = false;
  /** Whose script was restarted, and memory is still short. */
  private readonly restarted = new Set<Station>();

  constructor(
    private readonly guarded: Guarded,
    private readonly log: Logger,
    { max = cgroupBound() ?? 0, use = new MemoryReader().read, collect }: GuardOptions = {},
  ) {
    this.max = max === 0 ? Number.POSITIVE_INFINITY : max;
    this.read = use;
    this.use = use();
    this.collect = collect;
  }

  /** How much is taken of what may be had, of the heap or of all, whichever is the larger share. */
  get share(): number {
    const { heap, heapLimit, needed } = this.use;
    return Math.max(heap / heapLimit, needed / this.max);
  }

  start(): void {
    this.timer = setTimeout(() => {
      this.look();
      this.start();
    }, this.wait).unref();
  }

  stop(): void {
    clearTimeout(this.timer);
  }

  /** Milliseconds until the next look. */
  private get wait(): number {
    const whole = Math.min(Math.max(this.use.heapLimit / 2 ** 20, LOOK_MS.least), LOOK_MS.most);
    return this.share >= BUSY ? whole / OFTEN : whole;
  }

  private look(): void {
    this.use = this.read();
    const { share } = this;
    if (this.judging) this.judge(share);
    else if ((share >= HIGH || this.refusing) && this.isDue(share)) this.relieve();
    if (!this.refusing) return;
    if (this.share >= CALM) this.calmSince = undefined;
    else this.calmed();
  }

  private calmed(): void {
    const now = performance.now();
    // The restart was enough, however soon the script has kept as much again.
    if (!this.restarting) this.restarted.clear();
    this.calmSince ??= now;
    if (now - this.calmSince < CALM_MS) return;
    this.refusing = false;
    this.log.info('there is memory again: new connections are let in', this.figures());
  }

  private isDue(share: number): boolean {
    const { at, share: before } = this.collected;
    const wait = share >= CLOSE ? CLOSE_MS : COLLECT_MS;
    return performance.now() - at >= wait || share - before >= RISE;
  }

  private relieve(): void {
    this.counters.collect++;
    this.guarded.shrink();
    this.collect ??= collector();
    this.collect();
    this.use = this.read();
    this.collected.at = performance.now();
    // Memory outside of the heap is given back by another thread, within a look.
    this.judging = true;
    const { heap, heapLimit } = this.use;
    if (heap >= HIGH * heapLimit) this.judge(this.share);
  }

  /** What is to be done since so much is still taken without garbage. */
  private judge(share: number): void {
    this.judging = false;
    this.collected.share = share;
    if (share < HIGH) return;
    this.refuse();
    if (share >= RESTART && this.restartLargest()) return;
    this.tight = share >= CLOSE ? this.tight + 1 : 0;
    if (this.tight >= TIGHT_LOOKS) this.closeClients();
  }

  private refuse(): void {
    this.calmSince = undefined;
    if (this.refusing) return;
    this.refusing = true;
    this.counters.refuse++;
    this.log.warn('memory is short: new connections are refused', this.figures());
  }

  /** Whether a script that keeps much is being restarted. */
  private restartLargest(): boolean {
    if (this.restarting) return true;
    const found = largest(this.guarded.stations());
    if (!found || found.bytes < TO_BLAME * this.use.needed) return false;
    this.restarting = true;
    this.counters.restart_script++;
    // A second time, what clients keep in their sessions is what is too much.
    const withClients = !this.restarted.has(found.station);
    this.restarted.add(found.station);
    void restart(found, withClients, this.figures()).finally(() => {
      this.restarting = false;
      this.tight = 0;
      // What it kept is to be seen gone.
      this.collected.at = Number.NEGATIVE_INFINITY;
    });
    return true;
  }

  private closeClients(): void {
    const closed = shedClients(this.guarded.clients);
    if (closed === 0) return;
    this.counters.close_client += closed;
    this.log.error('memory is short: clients are closed', { closed, ...this.figures() });
  }

  private figures(): Record<string, string> {
    const { heap, heapLimit, own } = this.use;
    return {
      heap: `${inMiB(heap)} of ${inMiB(heapLimit)}`,
      own: this.max === Number.POSITIVE_INFINITY ? inMiB(own) : `${inMiB(own)} of ${inMiB(this.max)}`,
    };
  }
}

function inMiB(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}
