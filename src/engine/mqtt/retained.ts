/** The last message of each topic that was published with the retain flag (MQTT 3.3.1.3), in memory. */

import { hasWildcard, matches } from '../../codecs/mqtt_topics.js';
import type { Publication } from './publication.js';

/** Bounds of what is retained. */
export interface RetainedLimits {
  readonly retainedMessages: number;
  readonly retainedBytes: number;
}

export class Retained {
  private readonly messages = new Map<string, Publication>();
  private bytes = 0;

  constructor(private readonly limits: RetainedLimits) {}

  /** Topics with a retained message. */
  get size(): number {
    return this.messages.size;
  }

  /** Keeps a message in place of the one before; one without payload only removes that. False when there is no room. */
  keep(publication: Publication): boolean {
    const { topic, payload } = publication;
    const old = this.messages.get(topic);
    if (old) {
      this.messages.delete(topic);
      this.bytes -= sizeOf(old);
    }
    if (payload.length === 0) return true;
    const bytes = this.bytes + sizeOf(publication);
    if (this.messages.size >= this.limits.retainedMessages || bytes > this.limits.retainedBytes) return false;
    this.messages.set(topic, publication);
    this.bytes = bytes;
    return true;
  }

  /** All of them. */
  all(): Iterable<Publication> {
    return this.messages.values();
  }

  /** The messages that a filter means, those that have expired left out. */
  *of(filter: string): Iterable<Publication> {
    const now = performance.now();
    const found = hasWildcard(filter) ? this.messages.values() : [this.messages.get(filter)];
    for (const publication of found) {
      if (!publication || !matches(filter, publication.topic)) continue;
      if (publication.expiresAt !== undefined && publication.expiresAt <= now) {
        this.messages.delete(publication.topic);
        this.bytes -= sizeOf(publication);
      } else {
        yield publication;
      }
    }
  }
}

function sizeOf({ topic, payload }: Publication): number {
  return topic.length + payload.length + 128;
}
