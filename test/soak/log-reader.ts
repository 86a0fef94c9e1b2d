/** Reads the log of a process while it grows: what must never be in it, and what is said at all. */

import { closeSync, openSync, readSync } from 'node:fs';
import type { Campaign } from './campaign.js';

/** Mistakes of the program, not of its surroundings. */
const NEVER =
  /uncaught|unhandled|TypeError|ReferenceError|RangeError|AssertionError|Cannot find module|ERR_INTERNAL|JavaScript heap out of memory|FATAL ERROR|Segmentation|MaxListenersExceeded|is not a function|Cannot read propert/i;

const LOOK_MS = 500;
const CHUNK = 1 << 20;
const KEPT_LINES = 50;

export class LogReader {
  readonly last: string[] = [];
  private at = 0;
  private rest = '';

  constructor(
    private readonly file: string,
    private readonly name: string,
    private readonly campaign: Campaign,
  ) {
    const timer = setInterval(() => this.look(), LOOK_MS);
    campaign.teardown(() => {
      clearInterval(timer);
      this.look();
    });
  }

  private look(): void {
    const fd = openSync(this.file, 'a+');
    try {
      const buffer = Buffer.allocUnsafe(CHUNK);
      for (;;) {
        const read = readSync(fd, buffer, 0, CHUNK, this.at);
        if (read === 0) return;
        this.at += read;
        const lines = (this.rest + buffer.toString('latin1', 0, read)).split('\n');
        this.rest = lines.pop()!;
        for (const line of lines) this.take(line);
      }
    } finally {
      closeSync(fd);
    }
  }

  private take(line: string): void {
    if (NEVER.test(line)) this.campaign.violation('in the log', `${this.name}: ${line.slice(0, 500)}`);
    this.last.push(line);
    if (this.last.length > KEPT_LINES) this.last.shift();
    const level = /"level":"?(\w+)/.exec(line)?.[1];
    if (level !== undefined) this.campaign.count(`log lines, ${level}`);
  }
}
