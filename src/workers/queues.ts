/** Queues of all workers for the consumers at the primary's API. */

import { type Consumer, type QueueMessage, Queues } from '../engine/queues.js';
import type { Worker } from './worker.js';
import type { Workers } from './workers.js';

/** What is here is bounded by what workers may have away, each of them. */
const UNBOUNDED = { topicSize: Number.POSITIVE_INFINITY, maxTopics: Number.POSITIVE_INFINITY };

export class WorkerQueues {
  private readonly here = new Queues(UNBOUNDED);
  /** How many consumers each topic has. */
  private readonly consumed = new Map<string, number>();
  /** Where those that are here come from. */
  private readonly origins = new WeakMap<QueueMessage, Worker>();
  private workers: Workers | undefined;

  /** Messages come from these. */
  serve(workers: Workers): void {
    this.workers = workers;
  }

  /** As {@link Queues.consume}, of the topics of all workers. */
  consume(topics: readonly string[], consumer: Consumer): () => void {
    const names = [...new Set(topics)];
    for (const topic of names) this.consumed.set(topic, (this.consumed.get(topic) ?? 0) + 1);
    const stop = this.here.consume(names, {
      get ready() {
        return consumer.ready;
      },
      take: (message) => {
        this.origins.get(message)?.tell({ t: 'taken', count: 1 });
        consumer.take(message);
      },
    });
    this.tellAll();
    return () => {
      stop();
      for (const topic of names) {
        const left = this.consumed.get(topic)! - 1;
        if (left > 0) this.consumed.set(topic, left);
        else this.consumed.delete(topic);
      }
      this.tellAll();
    };
  }

  /** As {@link Queues.resume}. */
  resume(topics: Iterable<string>): void {
    this.here.resume(topics);
  }

  /** A message has come. */
  push(worker: Worker, message: QueueMessage): void {
    this.origins.set(message, worker);
    this.here.push(message);
  }

  /** Tells a worker, which is new, what is consumed. */
  tell(worker: Worker): void {
    if (this.consumed.size > 0) worker.tell({ t: 'topics', topics: [...this.consumed.keys()] });
  }

  private tellAll(): void {
    const topics = [...this.consumed.keys()];
    for (const worker of this.workers?.all ?? []) worker.tell({ t: 'topics', topics });
  }
}
