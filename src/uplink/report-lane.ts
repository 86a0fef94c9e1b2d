/** One stream of reports to the centre: what was sent and not acknowledged is bounded, by what the link carries. */

import { MoonwireError } from '../errors.js';
import type { MuxStream } from '../mux/index.js';
import { RangeSet } from '../store/ranges.js';
import type { ReportBatch } from '../store/reported.js';
import { encodeMessage, type MessageCounters, MessageStream } from './message-stream.js';
import { type AckMessage, MAX_REC_BYTES } from './messages.js';

/** What a lane tells its owner. */
export interface LaneEvents {
  /** The centre has these; then the lane may have room again. */
  acknowledged(message: AckMessage): void;
  /** The stream has ended, not by `close`. */
  ended(error: Error | undefined): void;
}

/** Rising for ever, shared by lanes; names are metric labels. */
export interface LaneCounters {
  /** Reports sent, repeated ones too. */
  sent: number;
  /** Acknowledgements of nothing that is under way. */
  strayAcks: number;
}

interface Sent {
  readonly epoch: number;
  /** Sequences not acknowledged yet, rising. */
  waiting: readonly number[];
  readonly bytes: number;
  readonly at: number;
}

/**
 * Bytes under way: few at first, twice as many while acknowledgements come quickly. A link that takes longer over
 * them than it might gets fewer, so that what is sent on another stream does not wait behind them in the network's
 * own buffers.
 */
const WINDOW = { least: 16 * 1024, most: 1024 * 1024 };
const MAX_BATCHES = 32;
/** Milliseconds beyond the quickest acknowledgement: the window grows below the first and shrinks above the second. */
const DELAY_MS = [150, 400] as const;

export class ReportLane {
  private readonly messages: MessageStream;
  private sent: Sent[] = [];
  private bytes = 0;
  private window = WINDOW.least;
  /** Milliseconds of the quickest acknowledgement. */
  private quickest = Number.POSITIVE_INFINITY;

  constructor(
    stream: MuxStream,
    private readonly counters: LaneCounters,
    events: LaneEvents,
    messageCounters: MessageCounters,
  ) {
    this.messages = new MessageStream(stream, { counters: messageCounters });
    this.messages.onclose = (error) => events.ended(error);
    this.messages.onmessage = (message) => {
      if (message.t !== 'ack') {
        this.messages.refuse(message);
        return;
      }
      this.settle(message);
      events.acknowledged(message);
    };
  }

  /**
   * Sends a batch; false when there is no room for it now. Throws `too_large` for one that no message can carry, and
   * `invalid_argument` for values that CBOR cannot express: neither is ever to be in an outbox.
   */
  send({ epoch, boot, records }: ReportBatch): boolean {
    if (this.bytes >= this.window || this.sent.length === MAX_BATCHES) return false;
    const message = encodeMessage({ t: 'rec', epoch, boot, r: records });
    if (message instanceof MoonwireError) throw message;
    if (message.length > MAX_REC_BYTES) {
      throw new MoonwireError('too_large', `a batch of reports has at most ${MAX_REC_BYTES} bytes`);
    }
    if (this.messages.sendEncoded(message)) return false;
    this.counters.sent += records.length;
    this.bytes += message.length;
    const waiting = records.map(([sequence]) => sequence);
    this.sent.push({ epoch, waiting, bytes: message.length, at: performance.now() });
    return true;
  }

  close(): void {
    this.messages.close();
  }

  private settle({ epoch, ranges }: AckMessage): void {
    if (ranges.length === 0) return;
    const safe = RangeSet.from(ranges, Number.POSITIVE_INFINITY);
    const [least, most] = [ranges[0]![0], ranges.at(-1)![1]];
    let stray = true;
    for (const sent of this.sent) {
      if (sent.epoch !== epoch || sent.waiting.at(-1)! < least || sent.waiting[0]! > most) continue;
      const left = sent.waiting.filter((sequence) => !safe.has(sequence));
      if (left.length < sent.waiting.length) stray = false;
      sent.waiting = left;
      if (left.length > 0) continue;
      this.bytes -= sent.bytes;
      this.adapt(performance.now() - sent.at);
    }
    this.sent = this.sent.filter(({ waiting }) => waiting.length > 0);
    if (stray) this.counters.strayAcks++;
  }

  private adapt(ms: number): void {
    this.quickest = Math.min(this.quickest, ms);
    const delay = ms - this.quickest;
    if (delay > DELAY_MS[1]) this.window = Math.max(WINDOW.least, this.window / 2);
    else if (delay < DELAY_MS[0]) this.window = Math.min(WINDOW.most, this.window * 2);
  }
}
