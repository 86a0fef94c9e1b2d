/** The reliable exchange of messages with one CoAP device (RFC 7252, 4). */

import { randomInt } from 'node:crypto';
import { Failure } from '../../errors.js';
import type { Subscriber } from '../channels.js';
import type { Client } from '../client.js';
import { writeMessage } from './message.js';

/** Requests whose answers are kept for those that come again; older ones are forgotten. */
const MAX_KEPT = 64;
/** Messages that may wait for their acknowledgement at a time. */
const MAX_WAITING = 16;
/** How long a message id stands for the same message, in milliseconds: EXCHANGE_LIFETIME (4.8.2). */
const LIFETIME_MS = 247_000;
/** Retransmission (4.8): first after 2 to 3 s, then twice as long each time, four times. */
const ACK_TIMEOUT_MS = 2000;
const MAX_RETRANSMIT = 4;

interface Kept {
  readonly until: number;
  /** What was sent back; undefined while that is not known. */
  answer: Uint8Array | undefined;
}

interface Waiting {
  readonly bytes: Uint8Array;
  timeoutMs: number;
  tries: number;
  timer: NodeJS.Timeout;
}

/** Rising for ever; names are metric labels. */
export interface CoapCounters {
  /** Requests that came again and were answered as before, messages sent again, and those that were given up. */
  repeats: number;
  retransmissions: number;
  givenUp: number;
}

export class CoapPeer implements Subscriber {
  channels: Set<string> | undefined;
  readonly station: Client['station'];
  private readonly kept = new Map<number, Kept>();
  private readonly waiting = new Map<number, Waiting>();
  private nextId = randomInt(0x10000);

  constructor(
    readonly client: Client,
    private readonly counters: CoapCounters,
  ) {
    this.station = client.station;
  }

  get closed(): boolean {
    return this.client.closed;
  }

  send(bytes: Uint8Array): Failure | undefined {
    return this.client.send(bytes);
  }

  /** Channels reach devices by Observe (RFC 7641), which is not there yet. */
  publish(): Failure {
    return new Failure('invalid_argument: channels do not reach CoAP devices');
  }

  /** Whether a request with this id came before; what it was answered is sent again then. */
  isRepeated(id: number): boolean {
    const kept = this.kept.get(id);
    if (!kept || kept.until < performance.now()) return false;
    this.counters.repeats++;
    if (kept.answer) this.client.send(kept.answer);
    return true;
  }

  /** Remembers a request, to be answered once. */
  keep(id: number): void {
    this.kept.delete(id);
    this.kept.set(id, { until: performance.now() + LIFETIME_MS, answer: undefined });
    const [oldest] = this.kept.keys();
    if (this.kept.size > MAX_KEPT) this.kept.delete(oldest!);
  }

  /** Sends what answers the request with this id, and keeps it. */
  answer(id: number, message: object): void {
    const bytes = writeMessage(message);
    const kept = this.kept.get(id);
    if (kept) kept.answer = bytes;
    this.client.send(bytes);
  }

  /** Sends a message of our own; a confirmable one again until it is acknowledged. */
  transmit(message: object, confirmable: boolean): Failure | undefined {
    if (confirmable && this.waiting.size >= MAX_WAITING)
      return new Failure(`queue_full: ${MAX_WAITING} messages wait for their acknowledgement`);
    const id = this.nextId;
    const bytes = writeMessage({ ...message, type: confirmable ? 'CON' : 'NON', message_id: id });
    this.nextId = (id + 1) & 0xffff;
    if (confirmable) {
      const timeoutMs = ACK_TIMEOUT_MS * (1 + Math.random() / 2);
      const timer = setTimeout(() => this.again(id), timeoutMs).unref();
      this.waiting.set(id, { bytes, timeoutMs, tries: 0, timer });
    }
    return this.client.send(bytes);
  }

  /** An acknowledgement or a reset came for a message of ours. */
  settled(id: number): void {
    clearTimeout(this.waiting.get(id)?.timer);
    this.waiting.delete(id);
  }

  /** The device is gone. */
  close(): void {
    for (const { timer } of this.waiting.values()) clearTimeout(timer);
    this.waiting.clear();
  }

  private again(id: number): void {
    const waiting = this.waiting.get(id);
    if (!waiting) return;
    if (waiting.tries === MAX_RETRANSMIT) {
      this.waiting.delete(id);
      this.counters.givenUp++;
      return;
    }
    waiting.tries++;
    waiting.timeoutMs *= 2;
    this.counters.retransmissions++;
    this.client.send(waiting.bytes);
    waiting.timer = setTimeout(() => this.again(id), waiting.timeoutMs).unref();
  }
}
