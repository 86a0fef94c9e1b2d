/**
 * Queues between scripts and workers elsewhere: bounded topics in memory. What is pushed goes to one consumer of
 * its topic; consumers that share a topic take turns.
 */

import { Failure } from '../errors.js';

/** A message in a topic. */
export interface QueueMessage {
  readonly topic: string;
  /** The client whose script pushed it; undefined when no client's handler did. */
  readonly client: number | undefined;
  readonly data: unknown;
}

/** Takes messages of topics. */
export interface Consumer {
  /** False while it has too much to take more; it calls {@link Queues.resume} when that is over. */
  readonly ready: boolean;
  take(message: QueueMessage): void;
}

/** How much may wait. */
export interface QueueLimits {
  /** Messages one topic holds. */
  topicSize: number;
  /** Topics that hold messages. */
  maxTopics: number;
}

/** Longest name of a topic, in bytes of UTF-8. */
const MAX_TOPIC_BYTES = 256;

/** Messages that wait for a consumer, taken from the front without moving the rest. */
class Backlog {
  private messages: QueueMessage[] = [];
  private first = 0;

  get size(): number {
    return this.messages.length - this.first;
  }

  push(message: QueueMessage): void {
    this.messages.push(message);
  }

  shift(): QueueMessage | undefined {
    if (this.size === 0) return undefined;
    const message = this.messages[this.first++];
    if (this.first > 1024 && this.first * 2 > this.messages.length) {
      this.messages = this.messages.slice(this.first);
      this.first = 0;
    }
    return message;
  }
}

export class Queues {
  private readonly backlogs = new Map<string, Backlog>();
  /** Consumers of each topic; the first is the next to take one. */
  private readonly consumers = new Map<string, Consumer[]>();
  /** Messages pushed, taken by consumers, and refused because a topic or all topics were full. */
  readonly counters = { pushed: 0, taken: 0, refused: 0 };

  constructor(public limits: QueueLimits) {}

  /** Messages that wait, by topic. */
  *depths(): Iterable<[topic: string, depth: number]> {
    for (const [topic, backlog] of this.backlogs) yield [topic, backlog.size];
  }

  /**
   * Puts a message into its topic, or hands it to a consumer at once. Returns how many the topic held with it, or
   * `queue_full`, `invalid_argument`.
   */
  push(message: QueueMessage): number | Failure {
    const { topic } = message;
    const bytes = Buffer.byteLength(topic);
    if (bytes === 0 || bytes > MAX_TOPIC_BYTES)
      return new Failure(`invalid_argument: a topic's name has 1 to ${MAX_TOPIC_BYTES} bytes`);
    const waiting = this.backlogs.get(topic);
    const consumer = waiting ? undefined : this.nextConsumer(topic);
    if (consumer) {
      this.counters.pushed++;
      this.counters.taken++;
      consumer.take(message);
      return 1;
    }
    if ((waiting?.size ?? 0) >= this.limits.topicSize) {
      this.counters.refused++;
      return new Failure(`queue_full: topic ${topic} holds ${this.limits.topicSize} messages`);
    }
    if (!waiting && this.backlogs.size >= this.limits.maxTopics) {
      this.counters.refused++;
      return new Failure(`queue_full: ${this.limits.maxTopics} topics hold messages`);
    }
    const backlog = waiting ?? new Backlog();
    if (!waiting) this.backlogs.set(topic, backlog);
    this.counters.pushed++;
    backlog.push(message);
    return backlog.size;
  }

  /** Gives a consumer what waits in `topics` and what comes, until the returned function is called. */
  consume(topics: readonly string[], consumer: Consumer): () => void {
    const names = new Set(topics);
    for (const topic of names) {
      const consumers = this.consumers.get(topic) ?? [];
      consumers.push(consumer);
      this.consumers.set(topic, consumers);
    }
    this.resume(names);
    return () => {
      for (const topic of names) {
        const left = (this.consumers.get(topic) ?? []).filter((other) => other !== consumer);
        if (left.length > 0) this.consumers.set(topic, left);
        else this.consumers.delete(topic);
      }
    };
  }

  /** Hands out what waits in `topics`: a consumer of them is ready again. */
  resume(topics: Iterable<string>): void {
    for (const topic of topics) {
      const backlog = this.backlogs.get(topic);
      if (!backlog) continue;
      while (backlog.size > 0) {
        const consumer = this.nextConsumer(topic);
        if (!consumer) break;
        this.counters.taken++;
        consumer.take(backlog.shift()!);
      }
      if (backlog.size === 0) this.backlogs.delete(topic);
    }
  }

  /** The consumer whose turn it is among those that are ready. */
  private nextConsumer(topic: string): Consumer | undefined {
    const consumers = this.consumers.get(topic);
    if (!consumers) return undefined;
    const at = consumers.findIndex((consumer) => consumer.ready);
    if (at < 0) return undefined;
    const [consumer] = consumers.splice(at, 1);
    consumers.push(consumer!);
    return consumer;
  }
}
