/** How much was reported over the last day, by the hour. */

const HOURS = 24;
const HOUR = 3600;
/** Shorter observations say too little. */
const LEAST_SECONDS = 10;

/** Reports and their bytes in one hour. */
interface Hour {
  readonly hour: number;
  reports: number;
  bytes: number;
}

/** Counts, and tells the mean of the last 24 hours, or since it began. */
export class Traffic {
  private readonly hours: Hour[] = [];

  /** @param now Seconds of a clock that never jumps. */
  constructor(
    private readonly now: () => number,
    private readonly began = now(),
  ) {}

  add(bytes: number): void {
    const hour = Math.floor(this.now() / HOUR);
    let last = this.hours.at(-1);
    if (last?.hour !== hour) {
      last = { hour, reports: 0, bytes: 0 };
      this.hours.push(last);
      if (this.hours.length > HOURS) this.hours.shift();
    }
    last.reports++;
    last.bytes += bytes;
  }

  /** Reports and bytes a second. */
  get perSecond(): { readonly reports: number; readonly bytes: number } {
    const now = this.now();
    // The hour that has not ended yet, and those before it.
    const from = Math.floor(now / HOUR) - HOURS + 1;
    const seconds = Math.max(LEAST_SECONDS, now - Math.max(this.began, from * HOUR));
    let [reports, bytes] = [0, 0];
    for (const hour of this.hours) {
      if (hour.hour < from) continue;
      reports += hour.reports;
      bytes += hour.bytes;
    }
    return { reports: reports / seconds, bytes: bytes / seconds };
  }
}
