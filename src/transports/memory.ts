import type { Connection } from './connection.js';
import { Endpoint } from './endpoint.js';

/**
 * Two connections joined in memory, for tests and for embedders that bring their own peer. Delivery is
 * asynchronous, in order and chunk by chunk; a paused reader makes the writer's `pendingBytes` grow.
 */
export function memoryPair(): [Connection, Connection] {
  const a = new MemoryConnection('a', 'b');
  const b = new MemoryConnection('b', 'a');
  a.join(b);
  b.join(a);
  return [a, b];
}

class MemoryConnection extends Endpoint {
  readonly transport = 'memory';
  readonly datagram = false;
  private peer!: MemoryConnection;
  /** What the peer wrote and this side's owner has not taken. */
  private inbox: Uint8Array[] = [];
  private inboxBytes = 0;
  private paused = false;
  private scheduled = false;

  constructor(
    readonly local: string,
    readonly remote: string,
  ) {
    super();
  }

  join(peer: MemoryConnection): void {
    this.peer = peer;
  }

  get pendingBytes(): number {
    return this.peer.inboxBytes;
  }

  write(bytes: Uint8Array): void {
    if (this.closed || bytes.length === 0) return;
    this.peer.inbox.push(bytes);
    this.peer.inboxBytes += bytes.length;
    this.peer.schedule();
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    this.schedule();
  }

  protected start(): void {
    this.schedule();
  }

  protected flushAndClose(): void {
    this.schedule();
    this.peer.schedule();
  }

  protected abort(): void {
    this.peer.clear();
    this.clear();
    this.schedule();
    this.peer.schedule();
  }

  private clear(): void {
    this.inbox = [];
    this.inboxBytes = 0;
  }

  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(MemoryConnection.deliver, this);
  }

  /** Hands out what the owner takes, then sees whether an end is due: one side closed and its bytes are through. */
  private static deliver(this: void, end: MemoryConnection): void {
    end.scheduled = false;
    if (end.closed) end.clear();
    const waited = end.inboxBytes;
    while (end.handler && !end.paused && !end.closed && end.inbox.length > 0) {
      const bytes = end.inbox.shift()!;
      end.inboxBytes -= bytes.length;
      end.handler.data(bytes);
    }
    const { peer } = end;
    if (waited > 0 && end.inboxBytes === 0 && !peer.over) peer.handler?.drain?.();
    if ((peer.closed && end.inboxBytes === 0) || (end.closed && peer.inboxBytes === 0)) {
      end.finish();
      peer.finish();
    }
  }
}
