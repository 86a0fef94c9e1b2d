/**
 * Typed streams: the first four bytes of each stream say what it is for (README §8).
 */
import { Buffer } from 'node:buffer';
import { MAX_32, readU32, writeU32 } from './frame.js';
import { Incoming } from './incoming.js';
import { checkedNumber } from './range.js';
import type { Session } from './session.js';
import type { MuxStream } from './stream.js';

const TYPE_BYTES = 4;

/** Nobody has the stream yet, so nobody else listens. */
function ignore(): void {}

/** A session whose streams have types. Incoming ones are handed on with `streamType` set and the type stripped. */
export class TypedSession extends Incoming {
  private readonly handlers = new Map<number, (stream: MuxStream) => void>();
  private identifying = 0;

  /** Takes over the incoming streams of `session`; its other parts stay in use. */
  constructor(readonly session: Session) {
    super(session.config.acceptBacklog);
    session.on('stream', (stream) => this.identify(stream));
    session.on('goaway', (error, debug) => this.emit('goaway', error, debug));
    session.closed.then(({ error }) => this.endIncoming(error));
  }

  /**
   * Opens a stream of the given type, 0 … 2^32-1, which leaves whole in the first frame.
   * @throws as {@link Session.open}; MoonwireError `invalid_argument` for another type
   */
  open(type: number): MuxStream {
    checkedNumber('type', type, 0, MAX_32);
    const stream = this.session.open();
    stream.streamType = type;
    const bytes = Buffer.allocUnsafe(TYPE_BYTES);
    writeU32(bytes, 0, type);
    stream.write(bytes);
    return stream;
  }

  /** Streams of `type` go to `handler` instead of to `stream` listeners and `accept()`. */
  handle(type: number, handler: (stream: MuxStream) => void): void {
    this.handlers.set(type, handler);
  }

  private identify(stream: MuxStream): void {
    const { acceptBacklog, typeTimeoutMs } = this.session.config;
    if (this.identifying >= acceptBacklog) {
      stream.reset('accept_queue_full');
      return;
    }
    this.identifying++;
    const timer = setTimeout(() => stream.reset('stream_cancelled'), typeTimeoutMs).unref();
    const look = () => {
      const bytes: Buffer | null = stream.read(TYPE_BYTES);
      if (bytes?.length !== TYPE_BYTES) return;
      stop();
      this.hand(stream, readU32(bytes, 0));
    };
    const cutShort = () => stream.reset('protocol');
    const stop = () => {
      this.identifying--;
      clearTimeout(timer);
      stream.off('readable', look).off('end', cutShort).off('close', stop).off('error', ignore);
    };
    stream.on('readable', look).on('end', cutShort).on('close', stop).on('error', ignore);
  }

  private hand(stream: MuxStream, type: number): void {
    stream.streamType = type;
    const handler = this.handlers.get(type);
    if (handler) handler(stream);
    else if (!this.offer(stream)) stream.reset('accept_queue_full');
    else stream.once('close', () => this.withdraw(stream));
  }
}
