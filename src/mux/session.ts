/**
 * A session: many streams over one duplex. It routes received frames, hands out ids, and ends once.
 */
import { Buffer } from 'node:buffer';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type SessionConfig, type SessionOptions, sessionConfig } from './config.js';
import { newCounters, type SessionCounters } from './counters.js';
import { FrameDecoder } from './decoder.js';
import { MUX_CODES, type MuxCode, MuxError, wireCodeOf } from './errors.js';
import { FIN, FrameType, MAX_31, SYN } from './frame.js';
import { Incoming } from './incoming.js';
import { MuxStream, type StreamOwner } from './stream.js';
import { FrameWriter } from './writer.js';

/** How a session ended. */
export interface SessionEnd {
  /** The first cause: `session_closed` after our own `close()`, `peer_eof`, or what went wrong. */
  error: MuxError;
  /** The code of the peer's last GOAWAY, if one came (`none` when it closed in order). */
  remote: MuxError | undefined;
  /** The debug bytes of that GOAWAY, at most `maxDebugBytes`. */
  debug: Uint8Array;
}

/** One multiplexed connection. It never emits `error`: see `closed`. */
export class Session extends Incoming {
  /** The settings in force. */
  readonly config: Readonly<SessionConfig>;
  /** Resolves (never rejects) when the session has ended and its transport is closed. */
  readonly closed: Promise<SessionEnd>;

  private readonly count = newCounters();
  private readonly streams = new Map<number, MuxStream>();
  private readonly decoder: FrameDecoder;
  private readonly writer: FrameWriter;
  private readonly owner: StreamOwner;
  private nextId: number;
  /** Highest id of the peer's that we handled; it goes into GOAWAY. */
  private lastRemoteId = 0;
  private remoteStreams = 0;
  private unreadBytes = 0;
  private goAwaySent = false;
  private goAwayReceived: MuxError | undefined;
  private goAwayDebug: Uint8Array = Buffer.alloc(0);
  private reportClosed!: (end: SessionEnd) => void;
  private closeTimer: NodeJS.Timeout | undefined;
  private draining = false;

  /** Where the payload of the DATA frame being received goes; undefined: it is dropped. */
  private receiver: MuxStream | undefined;
  private pumping = false;
  /** Frames wait in the decoder, and the transport is paused. */
  private held = false;
  /** The decoder's present frame is a SYN that is to be handled again. */
  private putOff = false;
  /** The backlog was given its turn to be emptied, and was not. */
  private turnGiven = false;

  /**
   * Takes over `transport`, any duplex of bytes that is open; nothing else may read or write it from now on.
   * @throws MoonwireError `invalid_argument` for a setting out of its range
   */
  constructor(
    private readonly transport: Duplex,
    options: SessionOptions,
  ) {
    const config = sessionConfig(options);
    super(config.acceptBacklog);
    this.config = config;
    this.nextId = config.role === 'client' ? 3 : 2;
    this.closed = new Promise((resolve) => {
      this.reportClosed = resolve;
    });
    this.decoder = new FrameDecoder(config.maxDebugBytes);
    this.owner = this.ownerOfStreams();
    this.writer = new FrameWriter(transport, config.gatherBytes, config.writeTimeoutMs, {
      written: () => this.release(),
      stalled: () => this.finish(new MuxError('write_timeout', 'the transport took nothing in time'), false),
    });
    // Writes are gathered here already; the kernel's waiting would only add to it.
    if (transport instanceof Socket) transport.setNoDelay(true);
    transport.on('data', this.onData);
    transport.once('end', this.onEnd);
    transport.once('close', this.onClose);
    transport.on('error', this.onError);
    if (transport.destroyed) process.nextTick(this.onClose);
  }

  /** Streams open now, of both ends. */
  get streamCount(): number {
    return this.streams.size;
  }

  /** The counters as they stand. */
  get counters(): SessionCounters {
    return { ...this.count, skippedFrames: this.decoder.skippedFrames };
  }

  /**
   * Opens a stream. Its SYN leaves with the bytes written in this turn.
   * @throws MuxError with the cause when the session has ended; `remote_gone_away` after the peer's GOAWAY;
   *   `streams_exhausted` when no ids are left
   */
  open(): MuxStream {
    if (this.endedBy) throw new MuxError('session_closed', 'the session has ended', { cause: this.endedBy });
    if (this.goAwayReceived) throw new MuxError('remote_gone_away', 'the peer accepts no more streams');
    if (this.nextId > MAX_31) throw new MuxError('streams_exhausted', 'all stream ids were used');
    const stream = new MuxStream(this.owner, this.nextId, true);
    this.nextId += 2;
    this.streams.set(stream.id, stream);
    this.count.opened++;
    this.writer.enqueue(stream);
    return stream;
  }

  /** Tells the peer to open no more streams; further ones are refused, open ones go on. `debug` is for people. */
  goAway(code: MuxCode | number = 'none', debug: string | Uint8Array = ''): void {
    if (this.endedBy) return;
    this.sendGoAway(wireCodeOf(code), debug);
    this.writer.wake();
  }

  /**
   * Sends GOAWAY, waits until all streams have closed, for as long as that takes, then closes; `close()` cuts it
   * short. Resolves as `closed` does.
   */
  drain(debug: string | Uint8Array = 'draining'): Promise<SessionEnd> {
    this.goAway('none', debug);
    this.draining = true;
    this.closeIfDrained();
    return this.closed;
  }

  /**
   * Ends the session: GOAWAY (with the code and message of `error`, or none), all streams closed, transport closed.
   * Bytes not yet handed to the transport are lost. Calling it again changes nothing. Resolves as `closed` does.
   */
  close(error?: MuxError): Promise<SessionEnd> {
    this.finish(error ?? new MuxError('session_closed', 'the session was closed'), true);
    return this.closed;
  }

  // ---- receiving -------------------------------------------------------------------------------------------

  private readonly onData = (chunk: Uint8Array): void => {
    if (this.endedBy) return;
    this.decoder.push(chunk);
    this.pump();
  };

  /** Handles every frame that is here; first once more the one that `handleSyn` put off. */
  private pump(again = false): void {
    // A listener may make the transport deliver more while frames are being handled: the loop below takes that too.
    if (this.pumping) return;
    this.pumping = true;
    try {
      if (again) this.handleFrame();
      while (!this.endedBy && !this.held && this.nextFrame()) this.handleFrame();
    } finally {
      this.pumping = false;
    }
    if (this.held && !this.endedBy) this.transport.pause();
  }

  private nextFrame(): boolean {
    if (this.writer.congested) {
      this.held = true;
      return false;
    }
    try {
      return this.decoder.next();
    } catch (cause) {
      const error = cause instanceof MuxError ? cause : new MuxError('internal', String(cause));
      this.finish(error, true);
      return false;
    }
  }

  private release(again = false): void {
    if (!this.held || this.endedBy || (this.putOff && !again)) return;
    this.held = false;
    this.putOff = false;
    this.pump(again);
    if (!this.held && !this.endedBy) this.transport.resume();
  }

  private handleFrame(): void {
    const { decoder } = this;
    switch (decoder.header.type) {
      case FrameType.DATA:
        this.handleData();
        break;
      case FrameType.RST:
        this.handleReset(decoder.header.streamId, decoder.value);
        break;
      case FrameType.WNDINC: {
        const stream = this.streams.get(decoder.header.streamId);
        if (stream) stream.receiveIncrement(decoder.value);
        else this.count.strayControl++;
        break;
      }
      case FrameType.GOAWAY:
        this.handleGoAway(decoder.lastStreamId, decoder.value, decoder.payload);
        break;
    }
  }

  private handleData(): void {
    const { header, first, last, payload } = this.decoder;
    if (first) {
      if (header.flags & SYN) {
        if (!this.handleSyn(header.streamId)) return;
      } else {
        this.receiver = this.streams.get(header.streamId);
        if (!this.receiver) this.handleStray(header.streamId, header.length, header.flags);
      }
      if (this.receiver && !this.receiver.admit(header.length)) this.receiver = undefined;
    }
    const { receiver } = this;
    if (payload.length > 0) {
      if (receiver && !receiver.destroyed) receiver.receive(payload);
      else this.count.droppedBytes += payload.length;
    }
    if (last && receiver && header.flags & FIN) receiver.receiveFin();
  }

  /** Sets `receiver` for a frame that begins a stream. False when the frame must be looked at again later. */
  private handleSyn(id: number): boolean {
    this.receiver = undefined;
    if (this.isOwn(id)) {
      this.finish(new MuxError('protocol', `the peer opened stream ${id}, an id of our own parity`), true);
    } else if (this.streams.has(id)) {
      this.finish(new MuxError('protocol', `the peer opened stream ${id}, which is open`), true);
    } else if (this.goAwaySent || this.remoteStreams >= this.config.maxStreams) {
      this.refuse(id, 'stream_refused');
      this.count.refused++;
    } else if (this.backlogFull) {
      if (!this.turnGiven) {
        // Many streams may come in one chunk: whoever accepts them gets to run once before one is refused.
        this.turnGiven = true;
        this.putOff = true;
        this.held = true;
        setImmediate(() => this.release(true));
        return false;
      }
      this.refuse(id, 'accept_queue_full');
      this.count.backlogFull++;
    } else {
      this.turnGiven = false;
      this.acceptStream(id);
    }
    return true;
  }

  private acceptStream(id: number): void {
    const stream = new MuxStream(this.owner, id, false);
    this.lastRemoteId = Math.max(this.lastRemoteId, id);
    this.streams.set(id, stream);
    this.remoteStreams++;
    this.count.accepted++;
    this.receiver = stream;
    this.offer(stream);
  }

  /** Whether an id is one that this end opens: odd at the client, even at the server. */
  private isOwn(id: number): boolean {
    return (id & 1) === (this.config.role === 'client' ? 1 : 0);
  }

  private closeIfDrained(): void {
    if (this.draining && this.streams.size === 0) this.close();
  }

  private refuse(id: number, code: MuxCode): void {
    this.writer.out.rst(id, MUX_CODES[code]);
    this.writer.wake();
  }

  private handleStray(id: number, length: number, flags: number): void {
    // Peers that forget a stream as they close it end it with such a frame, perhaps after we have forgotten it too.
    if (length === 0 && flags & FIN) return;
    this.count.strayData++;
    this.refuse(id, 'stream_closed');
  }

  private handleReset(id: number, code: number): void {
    const stream = this.streams.get(id);
    if (!stream) {
      this.count.strayControl++;
      return;
    }
    this.count.resetsReceived++;
    stream.abandon(MuxError.received(code, `stream ${id} was reset by the peer`));
  }

  private handleGoAway(lastId: number, code: number, debug: Uint8Array): void {
    this.goAwayReceived = MuxError.received(code, 'the peer is going away');
    this.goAwayDebug = debug;
    for (const stream of [...this.streams.values()]) {
      if (this.isOwn(stream.id) && stream.id > lastId) {
        stream.abandon(new MuxError('remote_gone_away', `stream ${stream.id} came after the peer's GOAWAY`));
      }
    }
    this.emit('goaway', this.goAwayReceived, debug);
  }

  // ---- streams ---------------------------------------------------------------------------------------------

  private ownerOfStreams(): StreamOwner {
    const { windowBytes, sendBufferBytes, maxUnreadBytes } = this.config;
    return {
      windowBytes,
      sendBufferBytes,
      ready: (stream) => this.writer.enqueue(stream),
      giveBack: (stream, increment) => {
        this.writer.out.windowIncrement(stream.id, increment);
        this.writer.wake();
      },
      countUnread: (bytes) => {
        this.unreadBytes += bytes;
        return this.unreadBytes <= maxUnreadBytes;
      },
      closed: (stream, resetCode) => this.forget(stream, resetCode),
    };
  }

  private forget(stream: MuxStream, resetCode: number | undefined): void {
    this.streams.delete(stream.id);
    this.withdraw(stream);
    if (!this.isOwn(stream.id)) this.remoteStreams--;
    if (resetCode !== undefined && !this.endedBy) {
      this.count.resetsSent++;
      this.writer.out.rst(stream.id, resetCode);
      this.writer.wake();
    }
    this.closeIfDrained();
  }

  // ---- ending ----------------------------------------------------------------------------------------------

  private readonly onEnd = (): void => {
    this.finish(new MuxError('peer_eof', `the transport ended${this.where()}`), false);
  };

  private readonly onClose = (): void => {
    this.finish(new MuxError('peer_eof', `the transport closed${this.where()}`), false);
    this.conclude();
  };

  private readonly onError = (cause: Error): void => {
    this.finish(new MuxError('peer_eof', `the transport failed: ${cause.message}`, { cause }), false);
  };

  private where(): string {
    return this.decoder.midFrame ? ' in the middle of a frame' : '';
  }

  private sendGoAway(code: number, debug: string | Uint8Array): void {
    this.goAwaySent = true;
    const bytes = Buffer.from(debug as Uint8Array);
    this.writer.out.goAway(this.lastRemoteId, code, bytes.subarray(0, this.config.maxDebugBytes));
  }

  /** The one way to end. Keeps the first cause; later calls do nothing. */
  private finish(error: MuxError, tellPeer: boolean): void {
    if (this.endedBy) return;
    const { transport } = this;
    const inOrder = error.code === 'session_closed';
    if (tellPeer) {
      this.sendGoAway(inOrder ? MUX_CODES.none : error.wireCode, inOrder ? 'no error' : error.message);
    }
    this.endIncoming(error);
    this.writer.stop();
    // Closing in order is what the user asked for, so it is no error of the streams that it cuts off.
    const reason = inOrder
      ? undefined
      : new MuxError('session_closed', `the session ended: ${error.message}`, { cause: error });
    for (const stream of [...this.streams.values()]) stream.abandon(reason);
    if (transport.destroyed) return;
    // What still comes is read and dropped: closing a socket over unread bytes would discard our GOAWAY at the peer.
    transport.end();
    transport.resume();
    // It keeps the process alive: a transport over a WebSocket may hold no socket any more without having closed, and
    // whoever waits for the end would never hear of it.
    this.closeTimer = setTimeout(() => transport.destroy(), this.config.closeTimeoutMs);
  }

  private conclude(): void {
    clearTimeout(this.closeTimer);
    const { transport } = this;
    transport.off('data', this.onData).off('end', this.onEnd).off('close', this.onClose);
    // The error listener stays: a transport may fail once more after it closed, and nobody else listens.
    this.reportClosed({ error: this.endedBy!, remote: this.goAwayReceived, debug: this.goAwayDebug });
  }
}
