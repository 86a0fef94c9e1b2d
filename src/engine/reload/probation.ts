/** New code is watched for a while: errors in a burst put the code before it in charge again. */

import type { Client } from '../client.js';
import type { Program } from '../program.js';

/** What a burst is: so many failures at least, and such a share of all that was called, and so much more than before. */
const LEAST = 3;
const SHARE = 0.2;
const TIMES_OLD = 2;

export class Probation {
  private readonly until: number;
  private readonly oldShare: number;
  private decided = false;

  constructor(
    readonly before: Program,
    readonly after: Program,
    seconds: number,
  ) {
    this.until = performance.now() + seconds * 1000;
    const { calls, failures } = before.tally;
    this.oldShare = failures / Math.max(1, calls);
  }

  isOver(now: number): boolean {
    return now >= this.until && !this.decided;
  }

  /** Something failed. True, once, when that is a burst. */
  failed(program: Program): boolean {
    if (program !== this.after || this.decided || performance.now() >= this.until) return false;
    const { calls, failures } = program.tally;
    const share = failures / Math.max(1, calls);
    this.decided = failures >= LEAST && share > SHARE && share > TIMES_OLD * this.oldShare;
    return this.decided;
  }

  describe(): string {
    const { calls, failures } = this.after.tally;
    return `${failures} of ${calls} calls of the new code failed`;
  }

  /** A client is gone: with it the timers it had. */
  forget(client: Client): void {
    this.before.timers.stop(({ owner }) => owner === client);
  }

  close(): void {
    this.before.timers.end();
  }
}
