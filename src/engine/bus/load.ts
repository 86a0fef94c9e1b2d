/** How much of the last minute a line was in use. Times in milliseconds of `performance.now()`. */

const SLOT_MS = 10_000;
const SLOTS = 6;

export class Load {
  private readonly busy = new Float64Array(SLOTS);
  private slot: number;

  constructor(private readonly began: number) {
    this.slot = Math.floor(began / SLOT_MS);
  }

  /** The line was in use from `from` until `to`; charged to the end. */
  add(from: number, to: number): void {
    this.advance(to);
    this.busy[this.slot % SLOTS]! += to - from;
  }

  /** Part of the last minute, or of the time since the beginning: 0 to 1. */
  share(now: number): number {
    this.advance(now);
    const from = Math.max(this.began, (this.slot - SLOTS + 1) * SLOT_MS);
    const span = now - from;
    return span <= 0 ? 0 : Math.min(1, this.busy.reduce((sum, part) => sum + part, 0) / span);
  }

  private advance(now: number): void {
    const slot = Math.floor(now / SLOT_MS);
    for (let i = Math.max(this.slot + 1, slot - SLOTS + 1); i <= slot; i++) this.busy[i % SLOTS] = 0;
    this.slot = Math.max(this.slot, slot);
  }
}
