/**
 * Decides what leaves when (README §5): control frames first, then streams in turn, one gathered write at a time.
 */
import { Buffer } from 'node:buffer';
import type { Writable } from 'node:stream';
import { FrameEncoder } from './encoder.js';

/** Largest DATA payload of a turn while other streams wait, and while none does. */
const SHARED_TURN_BYTES = 16 * 1024;
const LONE_TURN_BYTES = 64 * 1024;
/** Control frames beyond this mean that the peer asks for answers faster than it reads them. */
const CONGESTED_BYTES = 64 * 1024;

/** A stream as the writer sees it. */
export interface FrameSource {
  /** Appends one DATA frame of at most `maxPayload` bytes, if one is due; returns whether another is. */
  emitFrame(out: FrameEncoder, maxPayload: number): boolean;
  /** The writer's own: the next in its line, and whether this one is in it. */
  nextInLine: FrameSource | undefined;
  inLine: boolean;
}

/** What the writer tells its owner. */
export interface WriterEvents {
  /** Everything gathered so far was taken by the transport. */
  written(): void;
  /** The transport took nothing for `timeoutMs`. */
  stalled(): void;
}

/** The sending half of a session. */
export class FrameWriter {
  /** Where the owner appends control frames; `wake` must follow. */
  readonly out = new FrameEncoder();
  private head: FrameSource | undefined;
  private tail: FrameSource | undefined;
  private wakening: NodeJS.Immediate | undefined;
  private writing = false;
  private stopped = false;
  private writingSince = 0;
  private stallTimer: NodeJS.Timeout | undefined;
  /** A transport without writev gets one joined buffer: otherwise each part would become a WebSocket message. */
  private readonly joins: boolean;

  constructor(
    private readonly transport: Writable,
    private readonly gatherBytes: number,
    private readonly timeoutMs: number,
    private readonly events: WriterEvents,
  ) {
    this.joins = typeof transport._writev !== 'function';
  }

  /** True when so many answers wait for the transport that no more should be caused. */
  get congested(): boolean {
    return this.out.bytes > CONGESTED_BYTES;
  }

  /** Puts a stream with something to send at the end of the line, unless it is in it. */
  enqueue(source: FrameSource): void {
    if (source.inLine || this.stopped) return;
    this.append(source);
    this.wake();
  }

  /** Makes sure that what was gathered leaves at the end of this turn, or after the write under way. */
  wake(): void {
    if (this.wakening || this.writing || this.stopped) return;
    // The check phase follows all I/O callbacks, ticks and promises of this turn, so what they cause leaves together.
    this.wakening = setImmediate(this.flush);
  }

  /** Sends what control frames are gathered, and nothing more; the streams' bytes are lost. */
  stop(): void {
    if (this.stopped) return;
    this.stopped = true;
    clearImmediate(this.wakening);
    clearTimeout(this.stallTimer);
    this.head = undefined;
    this.tail = undefined;
    if (this.out.bytes > 0 && this.transport.writable) this.write(this.out.take());
  }

  private readonly flush = (): void => {
    this.wakening = undefined;
    const { out } = this;
    while (this.head && out.bytes < this.gatherBytes) {
      const source = this.head;
      this.head = source.nextInLine;
      if (!this.head) this.tail = undefined;
      source.nextInLine = undefined;
      source.inLine = false;
      const more = source.emitFrame(out, this.head ? SHARED_TURN_BYTES : LONE_TURN_BYTES);
      if (more) this.append(source);
    }
    if (out.bytes === 0) return;
    this.writing = true;
    this.watch();
    this.write(out.take());
  };

  private readonly taken = (): void => {
    this.writing = false;
    if (this.stopped) return;
    if (this.head || this.out.bytes > 0) this.wake();
    this.events.written();
  };

  private append(source: FrameSource): void {
    source.inLine = true;
    if (this.tail) this.tail.nextInLine = source;
    else this.head = source;
    this.tail = source;
  }

  private write(parts: Uint8Array[]): void {
    const { transport } = this;
    const last = parts.length - 1;
    if (last > 0 && this.joins) {
      transport.write(Buffer.concat(parts), this.taken);
      return;
    }
    transport.cork();
    for (let i = 0; i < last; i++) transport.write(parts[i]);
    transport.write(parts[last], this.taken);
    transport.uncork();
  }

  /** One timer for all writes, armed only while one is under way: setting one for each would cost more than a write. */
  private watch(): void {
    this.writingSince = performance.now();
    this.stallTimer ??= setTimeout(this.checkStall, this.timeoutMs).unref();
  }

  private readonly checkStall = (): void => {
    this.stallTimer = undefined;
    if (!this.writing) return;
    const left = this.timeoutMs - (performance.now() - this.writingSince);
    if (left <= 0) this.events.stalled();
    else this.stallTimer = setTimeout(this.checkStall, Math.ceil(left)).unref();
  };
}
