/**
 * Streams that arrive: handed to `stream` listeners at once, otherwise kept in a bounded backlog for `accept()` and
 * for `for await`.
 */
import { EventEmitter } from 'node:events';
import type { MuxError } from './errors.js';
import type { MuxStream } from './stream.js';

function ignore(): void {}

/** What sessions and typed sessions emit. */
export interface IncomingEvents {
  /** The peer opened a stream. Listeners take precedence over `accept()`. */
  stream: [stream: MuxStream];
  /** The peer accepts no more streams; `error` is its reason, `debug` the bytes it added for people. */
  goaway: [error: MuxError, debug: Uint8Array];
}

/** What sessions and typed sessions share. */
export abstract class Incoming extends EventEmitter<IncomingEvents> {
  private readonly backlog = new Set<MuxStream>();
  private readonly acceptors: { resolve(stream: MuxStream): void; reject(error: Error): void }[] = [];
  private cause: MuxError | undefined;

  /** @param backlogLimit how many streams may wait to be accepted */
  constructor(private readonly backlogLimit: number) {
    super();
    (this as EventEmitter).on('newListener', (event) => {
      // After the listener was added, and after the code that adds it has gone on.
      if (event === 'stream' && this.backlog.size > 0) process.nextTick(() => this.emitBacklog());
    });
  }

  /** Why the session ended; undefined while it lasts. */
  get endedBy(): MuxError | undefined {
    return this.cause;
  }

  /** The next stream the peer opens. Rejects with the cause when the session has ended or ends. */
  async accept(): Promise<MuxStream> {
    const waiting = this.shift();
    if (waiting) return waiting;
    if (this.cause) throw this.cause;
    const stream = await new Promise<MuxStream>((resolve, reject) =>
      this.acceptors.push({ resolve, reject }),
    );
    stream.off('error', ignore);
    return stream;
  }

  /** Accepts streams until the session ends, for whatever reason: `closed` of the session tells which. */
  async *[Symbol.asyncIterator](): AsyncGenerator<MuxStream, void, undefined> {
    for (;;) {
      const stream = await this.accept().catch(() => undefined);
      if (!stream) return;
      yield stream;
    }
  }

  /** Hands a stream on or keeps it; false when the backlog is full. */
  protected offer(stream: MuxStream): boolean {
    if (this.listenerCount('stream') > 0) {
      this.emit('stream', stream);
      return true;
    }
    if (this.backlogFull) return false;
    const acceptor = this.acceptors.shift();
    // The peer may reset the stream before anyone could have listened for its errors.
    stream.on('error', ignore);
    if (acceptor) acceptor.resolve(stream);
    else this.backlog.add(stream);
    return true;
  }

  /** True while a stream offered now would find no place. */
  protected get backlogFull(): boolean {
    return (
      this.backlog.size >= this.backlogLimit &&
      this.acceptors.length === 0 &&
      this.listenerCount('stream') === 0
    );
  }

  /** Takes a stream that has closed out of the backlog, if it is there. */
  protected withdraw(stream: MuxStream): void {
    this.backlog.delete(stream);
  }

  /** No more streams will come. */
  protected endIncoming(error: MuxError): void {
    this.cause = error;
    for (const { reject } of this.acceptors.splice(0)) reject(error);
  }

  private shift(): MuxStream | undefined {
    const { value } = this.backlog.values().next();
    if (value) {
      this.backlog.delete(value);
      value.off('error', ignore);
    }
    return value;
  }

  private emitBacklog(): void {
    while (this.listenerCount('stream') > 0) {
      const stream = this.shift();
      if (!stream) return;
      this.emit('stream', stream);
    }
  }
}
