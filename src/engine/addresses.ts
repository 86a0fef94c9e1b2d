/** The addresses of a link, tried in turn. */

import type { Connection } from '../transports/connection.js';

export class Addresses {
  /** Where the open connection leads, or the last one led. */
  inUse: string | undefined;
  /** Whose turn it is. */
  private next = 0;

  constructor(readonly all: readonly string[]) {}

  /** Gives this one, if it is one of them, the first turn. */
  beginWith(address: string | undefined): void {
    if (address !== undefined) this.next = Math.max(0, this.all.indexOf(address));
  }

  /**
   * Tries each address once, beginning behind the one that was used last, until one opens. Rejects with what the last
   * of them failed with, or as soon as `signal` is aborted.
   */
  async open(
    connect: (address: string) => Promise<Connection>,
    signal: AbortSignal,
    failed: (error: unknown) => void,
  ): Promise<Connection> {
    for (let left = this.all.length; ; left--) {
      const address = this.all[this.next]!;
      this.next = (this.next + 1) % this.all.length;
      try {
        const connection = await connect(address);
        this.inUse = address;
        return connection;
      } catch (error) {
        if (left === 1 || signal.aborted) throw error;
        failed(error);
      }
    }
  }
}
