/** Messages over a stream of a session: a CBOR sequence (RFC 8742) of maps, both ways (design §9). */

import { ChunkQueue } from '../bytes/chunks.js';
import { cborCodec } from '../codecs/cbor.js';
import { CborLengths } from '../codecs/cbor_length.js';
import { MoonwireError, messageOf } from '../errors.js';
import { MuxError, type MuxStream } from '../mux/index.js';
import { readMessage } from './message-checks.js';
import { MAX_MESSAGE_BYTES, type Message } from './messages.js';

const CBOR = cborCodec();
/** Beyond this a peer that does not read gets no answers to what it sends unasked. */
const MAX_COURTESY_BYTES = 64 * 1024;

/** What streams count; one object may serve many streams. Names are metric labels. */
export interface MessageCounters {
  received: number;
  sent: number;
  /** Messages received of a type that is not known, or does not belong there. */
  unknown: number;
  /** Streams ended because of bytes that are no message. */
  malformed: number;
  /** Streams ended because the peer did not read what was sent. */
  overflowed: number;
  /** Messages not sent: too large, or with values that CBOR cannot express. */
  unsendable: number;
}

export function newMessageCounters(): MessageCounters {
  return { received: 0, sent: 0, unknown: 0, malformed: 0, overflowed: 0, unsendable: 0 };
}

/** A message as bytes; or why it cannot be sent: `too_large`, `invalid_argument` for values CBOR cannot express. */
export function encodeMessage(message: Message): Uint8Array | MoonwireError {
  let bytes: Uint8Array;
  try {
    bytes = CBOR.encode(message);
  } catch (error) {
    return error instanceof MoonwireError ? error : new MoonwireError('internal', messageOf(error));
  }
  if (bytes.length <= MAX_MESSAGE_BYTES) return bytes;
  return new MoonwireError(
    'too_large',
    `a message has at most ${MAX_MESSAGE_BYTES} bytes, got ${bytes.length}`,
  );
}

/** Settings of a stream of messages. */
export interface MessageStreamOptions {
  /** Longest message received, in bytes; {@link MAX_MESSAGE_BYTES} unless given. May be raised later. */
  readonly maxMessageBytes?: number;
  /** Bytes that may wait for the peer to take them: beyond, the stream is reset; 16 MiB unless given. */
  readonly maxPendingBytes?: number;
  readonly counters?: MessageCounters;
}

/**
 * A stream of messages. Set `onmessage` and `onclose` in the turn it is made. Each message received is well-formed
 * (`message-checks.ts`); bytes that are none reset the stream with an error that names what is wrong, and a type
 * that is not known is answered with `error unknown`.
 */
export class MessageStream {
  /** Takes each message. What it throws ends the stream. */
  onmessage: (message: Message) => void = () => {};
  /** Told once when the stream has ended: without an error when the peer ended it in order. Not after `close()`. */
  onclose: (error?: Error) => void = () => {};
  /** Told when everything that waited has been taken, if much did. */
  ondrain: () => void = () => {};
  readonly counters: MessageCounters;

  private readonly limits: { maxBytes: number };
  private readonly maxPendingBytes: number;
  private readonly lengths: CborLengths;
  private readonly received = new ChunkQueue();
  private ended = false;

  /** Takes over `stream`: nothing else may use it from now on. */
  constructor(
    private readonly stream: MuxStream,
    options: MessageStreamOptions = {},
  ) {
    this.counters = options.counters ?? newMessageCounters();
    this.limits = { maxBytes: options.maxMessageBytes ?? MAX_MESSAGE_BYTES };
    this.maxPendingBytes = options.maxPendingBytes ?? 2 ** 24;
    this.lengths = new CborLengths(this.limits);
    stream.on('data', (bytes: Buffer) => this.receive(bytes));
    stream.on('end', () => this.receiveEnd());
    stream.on('error', (error) => this.end(error));
    stream.on('close', () => this.end());
    stream.on('drain', () => this.ondrain());
  }

  /** Longest message received from now on, in bytes. */
  set maxMessageBytes(bytes: number) {
    this.limits.maxBytes = bytes;
  }

  /** False once the stream has ended. */
  get open(): boolean {
    return !this.ended;
  }

  /** Bytes sent that the session has not taken yet, because the peer does not read or the line is slow. */
  get pendingBytes(): number {
    return this.stream.writableLength;
  }

  /**
   * Sends a message. Never throws; on an ended stream it does nothing. Returns why the message was not sent:
   * `closed`, `too_large`, `invalid_argument` for values that CBOR cannot express.
   */
  send(message: Message): MoonwireError | undefined {
    if (this.ended) return new MoonwireError('closed', 'the stream has ended');
    const bytes = encodeMessage(message);
    if (bytes instanceof MoonwireError) {
      this.counters.unsendable++;
      return bytes;
    }
    return this.sendEncoded(bytes);
  }

  /** Sends what {@link encodeMessage} made; for one message to many streams. Otherwise as `send`. */
  sendEncoded(bytes: Uint8Array): MoonwireError | undefined {
    if (this.ended) return new MoonwireError('closed', 'the stream has ended');
    this.counters.sent++;
    this.stream.write(bytes);
    if (this.stream.writableLength <= this.maxPendingBytes) return undefined;
    this.counters.overflowed++;
    this.stream.destroy(new MuxError('enhance_your_calm', 'the peer does not read'));
    return new MoonwireError('closed', 'the peer does not read');
  }

  /** Answers a message that does not belong on this stream; for `onmessage`. An error is not answered. */
  refuse(message: Message): void {
    if (message.t !== 'error') this.answerUnknown();
  }

  /** Ends the stream after what was sent; nothing is received any more. */
  close(): void {
    if (this.ended) return;
    this.ended = true;
    this.stream.end();
  }

  /** Ends the stream at once, for a peer that broke the rules; `onclose` is told. */
  reset(reason: string): void {
    this.stream.destroy(new MuxError('protocol', reason));
  }

  private receive(bytes: Buffer): void {
    if (this.ended) return;
    try {
      let from = 0;
      while (from < bytes.length && !this.ended) {
        const to = this.lengths.next(bytes, from);
        if (to < 0) {
          this.received.push(bytes.subarray(from));
          this.received.settle();
          return;
        }
        const item = this.takeItem(bytes.subarray(from, to));
        from = to;
        this.dispatch(item);
      }
    } catch (error) {
      this.counters.malformed++;
      this.reset(messageOf(error));
    }
  }

  /** The whole item whose last bytes are `rest`. */
  private takeItem(rest: Uint8Array): Uint8Array {
    const { received } = this;
    if (received.length === 0) return rest;
    received.push(rest);
    return received.shift(received.length);
  }

  private dispatch(item: Uint8Array): void {
    const message = readMessage(CBOR.decode(item));
    this.counters.received++;
    if (message) this.onmessage(message);
    else this.answerUnknown();
  }

  private answerUnknown(): void {
    this.counters.unknown++;
    if (this.pendingBytes < MAX_COURTESY_BYTES) this.send({ t: 'error', code: 'unknown' });
  }

  private receiveEnd(): void {
    if (!this.ended && !this.lengths.idle) {
      this.counters.malformed++;
      this.reset('the stream ended in the middle of a message');
    } else {
      this.stream.end();
      this.end();
    }
  }

  private end(error?: Error): void {
    if (this.ended) return;
    this.ended = true;
    this.onclose(error);
  }
}
