/**
 * One stream of a session: a Duplex whose back-pressure is the wire's flow control (README §3, §4).
 */
import type { Buffer } from 'node:buffer';
import { Duplex } from 'node:stream';
import type { FrameEncoder } from './encoder.js';
import { MUX_CODES, type MuxCode, MuxError, wireCodeOf } from './errors.js';
import { FIN, MAX_31, SYN } from './frame.js';
import { UnreadQueue } from './unread.js';
import type { FrameSource } from './writer.js';

/** How much a stream's Readable takes ahead of its reader; beyond that bytes wait in the window. */
const READ_AHEAD_BYTES = 16 * 1024;

/** A session as its streams see it. */
export interface StreamOwner {
  /** Bytes of a new stream's window. */
  readonly windowBytes: number;
  /** Bytes a stream holds before its `write` calls wait. */
  readonly sendBufferBytes: number;
  /** The stream has something to send. */
  ready(stream: MuxStream): void;
  /** The reader took bytes: gives `increment` back to the peer. */
  giveBack(stream: MuxStream, increment: number): void;
  /** The count of unread bytes changed; returns false when it passed the session's limit. */
  countUnread(bytes: number): boolean;
  /** Sends RST when a code is given, and forgets the id. */
  closed(stream: MuxStream, resetCode?: number): void;
}

/** A stream. Use it as any Duplex: `write`, `end` (half-close), `for await`, `pipe`, `destroy` (reset). */
export class MuxStream extends Duplex implements FrameSource {
  /** The type of a typed stream, once known (README §8). */
  streamType: number | undefined = undefined;

  /** @internal the writer's own */
  nextInLine: FrameSource | undefined = undefined;
  /** @internal the writer's own */
  inLine = false;

  private sendWindow: number;
  private receiveWindow: number;
  /** Bytes read and not yet given back to the peer. */
  private taken = 0;
  /** The Readable asked for bytes. */
  private wanting = false;
  private unread: UnreadQueue | undefined = undefined;
  private finReceived = false;
  private finDue = false;
  private finSent = false;
  /** The id is forgotten: nothing is sent or expected on it any more. */
  private over = false;
  /** Why nothing can be written any more, though there is something left to read. */
  private broken: MuxError | undefined = undefined;

  /** Chunks to send; `outgoing[0]` from `sent` on. */
  private outgoing: Uint8Array[] = [];
  private sent = 0;
  private outgoingBytes = 0;
  /** The callback of the `write` that waits for room, and that of `end`. */
  private writeDone: ((error?: Error | null) => void) | undefined = undefined;
  private finDone: ((error?: Error | null) => void) | undefined = undefined;

  /** @internal sessions make streams; `synDue` for those opened here */
  constructor(
    private readonly owner: StreamOwner,
    /** The stream's id, 1 … 2^31-1. */
    readonly id: number,
    private synDue: boolean,
  ) {
    super({ readableHighWaterMark: READ_AHEAD_BYTES, writableHighWaterMark: READ_AHEAD_BYTES });
    this.sendWindow = owner.windowBytes;
    this.receiveWindow = owner.windowBytes;
  }

  /**
   * Ends both directions at once. The peer sees `code` (a name, or any number 0 … 2^32-1); bytes not yet sent or read
   * are dropped. Does nothing on a stream that has closed. Emits no `error` here.
   * @throws MoonwireError `invalid_argument` for a number out of range
   */
  reset(code: MuxCode | number = 'stream_cancelled'): void {
    this.close(wireCodeOf(code));
    this.destroy();
  }

  // ---- called by the session -------------------------------------------------------------------------------

  /** @internal A DATA frame of `length` bytes begins. False when it is refused; its payload must be dropped then. */
  admit(length: number): boolean {
    if (length === 0) return true;
    if (this.finReceived) {
      this.fail('stream_closed', `stream ${this.id}: data after FIN`);
      return false;
    }
    if (length > this.receiveWindow) {
      this.fail(
        'flow_control',
        `stream ${this.id}: ${length} bytes came into a window of ${this.receiveWindow}`,
      );
      return false;
    }
    this.receiveWindow -= length;
    return true;
  }

  /** @internal Payload arrived. */
  receive(bytes: Uint8Array): void {
    if (this.wanting) {
      this.hand(bytes);
      return;
    }
    this.unread ??= new UnreadQueue();
    this.unread.push(bytes);
    if (!this.owner.countUnread(bytes.length)) {
      this.fail('enhance_your_calm', `stream ${this.id}: more unread bytes than the session may hold`);
    }
  }

  /** @internal The peer ended its half. */
  receiveFin(): void {
    if (this.finReceived || this.destroyed) return;
    this.finReceived = true;
    if (!this.unread?.bytes) this.push(null);
    if (this.finSent) this.close();
  }

  /** @internal The peer gave back window. */
  receiveIncrement(increment: number): void {
    const wasShut = this.sendWindow === 0;
    this.sendWindow += increment;
    if (this.sendWindow > MAX_31) {
      this.fail('flow_control', `stream ${this.id}: the send window grew beyond ${MAX_31}`);
    } else if (wasShut && this.outgoingBytes > 0) {
      this.owner.ready(this);
    }
  }

  /** @internal Ends the stream without telling the peer: it was reset, or the session ended. */
  abandon(error?: MuxError): void {
    this.close();
    if (
      error &&
      this.finReceived &&
      !this.readableEnded &&
      this.writableLength === 0 &&
      !this.writableEnded
    ) {
      // All the peer had to say is here: it stays readable. Writing fails from now on.
      this.broken = error;
      this.once('end', () => this.destroy());
    } else {
      this.destroy(error);
    }
  }

  /** @internal See {@link FrameSource}. */
  emitFrame(out: FrameEncoder, maxPayload: number): boolean {
    if (this.over) return false;
    const length = Math.min(this.outgoingBytes, this.sendWindow, maxPayload);
    const syn = this.synDue;
    // Never both in one frame: README §2.
    const fin = this.finDue && !syn && length === this.outgoingBytes;
    if (length === 0 && !syn && !fin) return false;
    this.synDue = false;
    out.dataHeader(this.id, (syn ? SYN : 0) | (fin ? FIN : 0), length);
    this.sendWindow -= length;
    this.emitPayload(out, length);
    if (fin) this.finWritten();
    return (
      !fin && ((this.outgoingBytes > 0 && this.sendWindow > 0) || (this.finDue && this.outgoingBytes === 0))
    );
  }

  private emitPayload(out: FrameEncoder, length: number): void {
    this.outgoingBytes -= length;
    let done = 0;
    for (let left = length; left > 0; ) {
      const chunk = this.outgoing[done]!;
      const part = Math.min(left, chunk.length - this.sent);
      out.payload(part === chunk.length ? chunk : chunk.subarray(this.sent, this.sent + part));
      left -= part;
      this.sent += part;
      if (this.sent < chunk.length) break;
      this.sent = 0;
      done++;
    }
    if (done === this.outgoing.length) this.outgoing.length = 0;
    else if (done > 0) this.outgoing.splice(0, done);
    const { writeDone } = this;
    if (writeDone && this.outgoingBytes < this.owner.sendBufferBytes) {
      this.writeDone = undefined;
      // Later, because it may run the user's callbacks, and the writer is in the middle of its round.
      process.nextTick(writeDone);
    }
  }

  private finWritten(): void {
    this.finDue = false;
    this.finSent = true;
    const { finDone } = this;
    this.finDone = undefined;
    if (finDone) process.nextTick(finDone);
    if (this.finReceived) this.close();
  }

  // ---- node:stream -----------------------------------------------------------------------------------------

  override _read(): void {
    this.wanting = true;
    const { unread } = this;
    if (!unread?.bytes) return;
    while (this.wanting) {
      const chunk = unread.shift();
      if (!chunk) break;
      this.owner.countUnread(-chunk.length);
      this.hand(chunk);
    }
    if (this.finReceived && unread.bytes === 0) this.push(null);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.broken) {
      done(this.broken);
      return;
    }
    if (chunk.length > 0) {
      this.outgoing.push(chunk);
      this.outgoingBytes += chunk.length;
    }
    this.owner.ready(this);
    // Taking several writes at once lets those of one turn share a frame.
    if (this.outgoingBytes < this.owner.sendBufferBytes) done();
    else this.writeDone = done;
  }

  override _final(done: (error?: Error | null) => void): void {
    if (this.over) {
      done();
      return;
    }
    this.finDue = true;
    this.finDone = done;
    this.owner.ready(this);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.close(error instanceof MuxError ? error.wireCode : MUX_CODES.stream_cancelled);
    if (this.unread?.bytes) this.owner.countUnread(-this.unread.bytes);
    this.unread = undefined;
    this.outgoing.length = 0;
    this.outgoingBytes = 0;
    this.writeDone?.(error ?? new MuxError('stream_cancelled', `stream ${this.id} was destroyed`));
    this.writeDone = undefined;
    done(error);
  }

  /** Passes bytes to the Readable and counts them as read. */
  private hand(bytes: Uint8Array): void {
    // Cleared first: a `data` listener may call `read`, and what that asks for must not be forgotten afterwards.
    this.wanting = false;
    if (this.push(bytes)) this.wanting = true;
    this.taken += bytes.length;
    if (this.finReceived || this.over || this.taken < this.owner.windowBytes / 2) return;
    const increment = this.taken;
    this.taken = 0;
    this.receiveWindow += increment;
    this.owner.giveBack(this, increment);
  }

  private fail(code: MuxCode, message: string): void {
    this.destroy(new MuxError(code, message));
  }

  /** Leaves the session, at most once. Nothing was sent yet while SYN is due, so no RST then. */
  private close(resetCode?: number): void {
    if (this.over) return;
    this.over = true;
    this.owner.closed(this, this.synDue ? undefined : resetCode);
  }
}
