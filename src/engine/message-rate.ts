/** How fast the messages of one client may come (`limits.messagesPerSecond`), and what becomes of those beyond. */

import { TokenBucket } from '../transports/tokenbucket.js';
import type { Client } from './client.js';
import { closeFor } from './client-limits.js';
import type { Received } from './received.js';

/** Of a client of a station that limits it; made with its first message. */
export class MessageRate {
  private readonly bucket: TokenBucket;
  /** The message whose time has not come. */
  held: Received | undefined;
  /** What ends its wait. */
  private timer: NodeJS.Timeout | undefined;
  private over = false;

  constructor(
    private readonly client: Client,
    perSecond: number,
  ) {
    this.bucket = new TokenBucket(perSecond, client.station.limits.messagesBurst);
  }

  /** Whether messages wait for their time. */
  get waits(): boolean {
    return this.timer !== undefined;
  }

  /**
   * The next message that may be handled now; undefined when there is none, or when it has to wait, after which the
   * client goes on by itself. `next` takes one of those that were received.
   */
  take(next: () => Received | undefined): Received | undefined {
    if (this.timer) return undefined;
    const { client } = this;
    for (let message = this.held ?? next(); message !== undefined; message = next()) {
      this.held = undefined;
      const { overflow } = this;
      // What a device sent before it left is not held up.
      if (this.bucket.take() || (this.over && overflow === 'slow')) return message;
      if (overflow === 'slow') {
        this.wait(message);
        return undefined;
      }
      if (overflow === 'close') {
        closeFor(client, 'closedRate', 'messagesPerSecond', 'sends more messages than it may');
        return undefined;
      }
      client.station.counters.messagesDropped++;
      client.station.limitReached(
        client,
        'messagesPerSecond',
        'sends more messages than it may; they are dropped',
      );
    }
    return undefined;
  }

  /** Drops the message that waits; returns its length in bytes. */
  clear(): number {
    const length = this.held?.length ?? 0;
    this.stop();
    this.held = undefined;
    return length;
  }

  /** The connection is over. */
  close(): void {
    this.over = true;
    this.stop();
  }

  /** The time of the message that waits has come. */
  proceed(): void {
    this.timer = undefined;
    this.client.alive();
    this.client.pump();
  }

  private wait(message: Received): void {
    this.held = message;
    this.client.station.counters.messagesDelayed++;
    this.timer = setTimeout(goOn, this.bucket.secondsToNext() * 1000, this);
  }

  private stop(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  /** A protocol in which one packet refers to another, over a stream that loses none, cannot do without one. */
  private get overflow(): 'slow' | 'drop' | 'close' {
    const { station, native, connection } = this.client;
    const { messageOverflow = 'slow' } = station.limits;
    return messageOverflow === 'drop' && native && !connection.datagram ? 'slow' : messageOverflow;
  }
}

function goOn(rate: MessageRate): void {
  rate.proceed();
}
