/** Queues of a worker whose consumers are at the primary's API. */

import type { Consumer, QueueMessage, Queues } from '../engine/queues.js';

/** Messages that may be at the primary and not taken yet; the others wait here, where they are bounded. */
const WINDOW = 256;

export class ForwardedQueues implements Consumer {
  private readonly consumed = new Map<string, () => void>();
  private away = 0;

  constructor(
    private readonly queues: Queues,
    private readonly forward: (message: QueueMessage) => void,
  ) {}

  get ready(): boolean {
    return this.away < WINDOW;
  }

  take(message: QueueMessage): void {
    this.away++;
    this.forward(message);
  }

  /** Consumes these topics from now on, and no others. */
  consume(topics: readonly string[]): void {
    const wanted = new Set(topics);
    for (const [topic, stop] of this.consumed) {
      if (wanted.has(topic)) continue;
      this.consumed.delete(topic);
      stop();
    }
    for (const topic of wanted) {
      if (!this.consumed.has(topic)) this.consumed.set(topic, this.queues.consume([topic], this));
    }
  }

  /** So many have been taken there. */
  taken(count: number): void {
    const waited = !this.ready;
    this.away -= count;
    if (waited) this.queues.resume(this.consumed.keys());
  }
}
