/**
 * Honest time. A gateway without a battery-backed clock starts in 1970, or where it was when the power went. What is
 * sure is the monotonic clock of each boot; once true time is known, from NTP or from the centre, it follows from
 * that clock and the boot's id.
 */

import { bootId } from './boot.js';
import type { KeyValue } from './keyvalue.js';

/** A clock before this day (2025-01-01) was never set. */
const EARLIEST = 1_735_689_600;
/** Seconds the clock may differ from the centre's before it counts as wrong. */
const TOLERANCE = 300;
/** Boots without a set clock whose true time is kept for what they reported. */
const MAX_BOOTS = 16;

/** What time comes from. */
export interface TimeSource {
  /** Unix seconds of the system's clock, whatever it says. */
  wall(): number;
  /** Seconds that never jump, the same for all processes of a boot. */
  monotonic(): number;
  /** Names the boot. */
  readonly boot: string;
}

/** A moment. */
export interface Stamp {
  /** Unix seconds; null while they are not known. */
  readonly time: number | null;
  /** Seconds of the monotonic clock. */
  readonly mono: number;
  /** The time follows from the centre's, since the own clock is wrong. */
  readonly estimated: boolean;
}

/** The clocks of this machine. */
export const systemTime: TimeSource = {
  wall: () => Date.now() / 1000,
  monotonic: () => Number(process.hrtime.bigint()) / 1e9,
  // A name that is never met again where the kernel has none.
  boot: bootId() ?? `${process.pid}-${Date.now()}`,
};

/** Tells the time as far as it is known. */
export class Clock {
  /** Unix seconds at zero of the monotonic clock, by the centre. */
  private anchor: number | undefined;
  /** Whether a moment of this boot was told without its time. */
  private blind = false;

  /** @param boots Unix seconds at zero of the monotonic clocks of earlier boots, by boot id. */
  constructor(
    private readonly boots: KeyValue,
    private readonly source: TimeSource = systemTime,
  ) {}

  /** The id of this boot. */
  get boot(): string {
    return this.source.boot;
  }

  /** Seconds of the monotonic clock. */
  get mono(): number {
    return this.source.monotonic();
  }

  /** Where the time comes from now. */
  get state(): 'set' | 'estimated' | 'unknown' {
    const offset = this.offset();
    return offset === undefined ? 'unknown' : offset.estimated ? 'estimated' : 'set';
  }

  /** Takes the centre's time, Unix seconds, as it is now; one that was never set is ignored. */
  heard(time: number): void {
    if (Number.isFinite(time) && time >= EARLIEST) this.anchor = time - this.source.monotonic();
  }

  now(): Stamp {
    const mono = this.source.monotonic();
    const offset = this.offset(mono);
    if (!offset) {
      this.blind = true;
      return { time: null, mono, estimated: false };
    }
    if (this.blind) this.remember(offset.seconds);
    return { time: mono + offset.seconds, mono, estimated: offset.estimated };
  }

  /** The time of a moment of which only boot and monotonic clock are known; undefined while nobody can tell. */
  timeAt(boot: string, mono: number): number | undefined {
    if (boot === this.source.boot) {
      const offset = this.offset();
      return offset && mono + offset.seconds;
    }
    const start = this.startOf(boot);
    return start === undefined ? undefined : mono + start;
  }

  /** What is to be added to the monotonic clock. */
  private offset(
    mono = this.source.monotonic(),
  ): { readonly seconds: number; readonly estimated: boolean } | undefined {
    const own = this.source.wall() - mono;
    const { anchor } = this;
    if (own + mono >= EARLIEST && (anchor === undefined || Math.abs(own - anchor) <= TOLERANCE)) {
      return { seconds: own, estimated: false };
    }
    return anchor === undefined ? undefined : { seconds: anchor, estimated: true };
  }

  /** Keeps when this boot began, for reports without a time that are still on disk after the next boot. */
  private remember(seconds: number): void {
    this.blind = false;
    try {
      this.keep(seconds);
    } catch {
      // A full store has no room for it: reports of this boot on disk stay without a time after the next.
    }
  }

  private keep(seconds: number): void {
    const known = [...this.boots.keys()].map((boot) => ({ boot, at: this.startOf(boot) ?? 0 }));
    known.sort((a, b) => a.at - b.at);
    for (const { boot } of known.slice(0, Math.max(0, known.length + 1 - MAX_BOOTS))) {
      this.boots.delete(boot).catch(() => {});
    }
    const bytes = Buffer.alloc(8);
    bytes.writeDoubleBE(seconds);
    this.boots.set(this.source.boot, bytes).catch(() => {});
  }

  /** Unix seconds at zero of the monotonic clock of an earlier boot; undefined when that was not kept. */
  private startOf(boot: string): number | undefined {
    const bytes = this.boots.get(boot);
    return bytes?.length === 8 ? Buffer.from(bytes).readDoubleBE() : undefined;
  }
}
