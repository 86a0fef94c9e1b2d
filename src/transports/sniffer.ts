/** Waits for the first bytes of connections, which tell what is spoken; none of them is lost. */

import type { Socket } from 'node:net';
import type { SniffCounters } from './connection.js';
import { type Spoken, spokenIn } from './firstbytes.js';

/** What is looked for, beside what the server speaks otherwise. */
export interface Among {
  readonly tls: boolean;
  readonly http: boolean;
}

interface Pending {
  readonly socket: Socket;
  readonly among: Among;
  readonly decided: (spoken: Spoken) => void;
  readonly release: () => void;
  head: Buffer;
  /** When it has had its time, by `performance.now()`. */
  deadline: number;
}

/** How often those that take too long are looked for, in milliseconds. */
const CHECK_MS = 250;
const NOTHING = Buffer.alloc(0);

/**
 * A peer has some seconds for its first byte, and as many again for the rest of what tells what it speaks; then it is
 * taken for one that speaks the server's own protocol, of which many wait for the server's first word. So a connection
 * is held here for a bounded time, with at most the first kilobyte and what came with it.
 */
export class Sniffer {
  readonly counters: SniffCounters = { tls: 0, http: 0, own: 0, silent: 0, slow: 0, left: 0 };
  private readonly pending = new Set<Pending>();
  private timer: NodeJS.Timeout | undefined;

  /** `seconds`: the time for the first byte. */
  constructor(private readonly seconds: number) {}

  /** Connections of which it is not known yet. */
  get waiting(): number {
    return this.pending.size;
  }

  /**
   * Takes a connection that nobody reads. `decided` is told what it speaks, and owns it from then on, with all bytes
   * unread; it is not told of one that is gone before.
   */
  take(socket: Socket, among: Among, decided: (spoken: Spoken) => void): void {
    const readable = (): void => this.look(entry);
    const closed = (): void => this.gone(entry);
    const entry: Pending = {
      socket,
      among,
      decided,
      release: () => socket.off('readable', readable).off('close', closed),
      head: NOTHING,
      deadline: this.deadline(),
    };
    this.pending.add(entry);
    // What came while this process was busy is read before anybody's time is over.
    this.timer ??= setInterval(() => setImmediate(() => this.check()), CHECK_MS).unref();
    socket.on('error', ignore).on('close', closed).on('readable', readable);
  }

  /** Ends those of which it is not known yet. */
  close(): void {
    for (const { socket } of this.pending) socket.destroy();
  }

  private look(entry: Pending): void {
    const { socket } = entry;
    const chunk = socket.read() as Buffer | null;
    // Told without anything to read, it has ended: without a word, or with too few to tell.
    if (!chunk) {
      if (entry.head.length === 0) socket.destroy();
      else this.decide(entry, 'own', 'slow');
      return;
    }
    if (entry.head.length === 0) entry.deadline = this.deadline();
    entry.head = entry.head.length === 0 ? chunk : Buffer.concat([entry.head, chunk]);
    const spoken = spokenIn(entry.head, entry.among);
    if (spoken) this.decide(entry, spoken, spoken);
  }

  private decide(entry: Pending, spoken: Spoken, counter: keyof SniffCounters): void {
    const { socket } = entry;
    entry.release();
    if (entry.head.length > 0) socket.unshift(entry.head);
    // What a stream knows of its listeners is up to date after this turn; until then the entry stays, to be counted.
    process.nextTick(() => {
      this.forget(entry);
      this.counters[socket.destroyed ? 'left' : counter]++;
      if (!socket.destroyed) entry.decided(spoken);
      socket.off('error', ignore);
    });
  }

  private gone(entry: Pending): void {
    this.counters.left++;
    this.forget(entry);
  }

  private forget(entry: Pending): void {
    this.pending.delete(entry);
    if (this.pending.size > 0) return;
    clearInterval(this.timer);
    this.timer = undefined;
  }

  private deadline(): number {
    return performance.now() + this.seconds * 1000;
  }

  private check(): void {
    const now = performance.now();
    for (const entry of this.pending) {
      if (now > entry.deadline) this.decide(entry, 'own', entry.head.length > 0 ? 'slow' : 'silent');
    }
  }
}

function ignore(): void {}
