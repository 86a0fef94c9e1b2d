/** JSON lines on standard output, for whoever reads this process through a pipe. */

import type { Writable } from 'node:stream';
import { toLines } from './line.js';
import type { Delivery, Sink } from './sink.js';

export class StdoutSink implements Sink {
  constructor(private readonly output: Writable = process.stdout) {
    // The callback of each write tells that the reader is gone; without a listener that would end the process.
    output.on('error', () => {});
  }

  deliver(batch: readonly Delivery[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.output.write(toLines(batch), (error) => (error ? reject(error) : resolve()));
    });
  }

  async close(): Promise<void> {}
}
