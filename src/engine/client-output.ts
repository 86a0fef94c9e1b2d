/**
 * What is sent to one client and has not left yet: the bound on it, what happens beyond it, and how long the client
 * has taken nothing. A client has one from its first message until a second after all has left.
 */

import { Failure } from '../errors.js';
import type { MessageType } from '../transports/connection.js';
import type { Client } from './client.js';
import { closeFor } from './client-limits.js';
import { hexOf } from './trace.js';

/** V8 keeps typed arrays up to this size inside its heap. */
const HEAP_ARRAY = 64;
/**
 * The part of the send buffer that the socket is given where the oldest may be dropped: what the socket has cannot be
 * taken back. Enough that it never runs empty while the client takes what it is sent.
 */
const SOCKET_PART = 1 / 4;

interface Message {
  readonly bytes: Uint8Array;
  readonly type: MessageType | undefined;
}

export class ClientOutput {
  /** Messages that the socket is not given yet, since the oldest may have to make room. */
  private queue: Message[] | undefined;
  private queued = 0;
  /** What is counted among that of all clients. */
  private counted = 0;
  /** Since when bytes wait without any being taken (0: none wait), and how many did at the last look. */
  private stalledSince = 0;
  private stalledBytes = 0;

  constructor(private readonly client: Client) {}

  /** Bytes that wait for the client. */
  get pendingBytes(): number {
    return this.queued + this.client.connection.pendingBytes;
  }

  /** Sends, or does what `limits.sendOverflow` says; why that failed. */
  send(bytes: Uint8Array, type: MessageType | undefined): Failure | undefined {
    const { station } = this.client;
    const refusal = this.refusal(bytes.length);
    if (refusal !== undefined && !this.makeRoom(bytes.length)) return this.overflow(refusal);
    station.engine.limits.pending.bytes += bytes.length;
    this.counted += bytes.length;
    const { sendBufferBytes } = station.limits;
    if (this.queue || (this.dropsOldest && this.fills(bytes.length, sendBufferBytes * SOCKET_PART))) {
      this.queue ??= [];
      this.queue.push({ bytes, type });
      this.queued += bytes.length;
    } else this.write(bytes, type);
    return undefined;
  }

  /** All that the connection had has left. */
  drained(): void {
    this.stalledSince = 0;
    if (this.queue) this.refill(this.client.station.limits.sendBufferBytes * SOCKET_PART);
    this.settle();
  }

  /** The connection is to end once it has all: gives it what it has not yet. */
  flush(): void {
    this.refill(Number.POSITIVE_INFINITY);
  }

  /** The connection is over. */
  close(): void {
    this.queue = undefined;
    this.queued = 0;
    this.client.station.engine.limits.pending.bytes -= this.counted;
    this.counted = 0;
  }

  /** Whether the client has taken nothing for too long although something waits. Called about once a second. */
  stalls(now: number): boolean {
    const pending = this.settle();
    if (pending === 0) this.stalledSince = 0;
    else if (this.stalledSince === 0 || pending < this.stalledBytes) this.stalledSince = now;
    this.stalledBytes = pending;
    return pending > 0 && now - this.stalledSince > this.client.station.limits.sendStallSeconds * 1000;
  }

  /** Brings what is counted of it among that of all clients up to date; returns it. */
  private settle(): number {
    const { pendingBytes } = this;
    this.client.station.engine.limits.pending.bytes += pendingBytes - this.counted;
    this.counted = pendingBytes;
    return pendingBytes;
  }

  /** Which limit does not allow `more` bytes, if any does not. */
  private refusal(more: number): 'sendBufferBytes' | 'pendingBytes' | undefined {
    const { limits, engine } = this.client.station;
    if (this.pendingBytes + more > limits.sendBufferBytes) return 'sendBufferBytes';
    return engine.limits.pending.allows(this.counted, more) ? undefined : 'pendingBytes';
  }

  /** A protocol in which one packet refers to another, over a stream that loses none, cannot do without one. */
  private get dropsOldest(): boolean {
    const { station, native, connection } = this.client;
    return station.limits.sendOverflow === 'dropOldest' && (!native || connection.datagram);
  }

  /** Drops the oldest messages that wait until there is room for `more` bytes; false when there is not even then. */
  private makeRoom(more: number): boolean {
    const { queue, client } = this;
    if (!queue) return false;
    const { counters, engine } = client.station;
    while (queue.length > 0 && this.refusal(more) !== undefined) {
      const { length } = queue.shift()!.bytes;
      this.queued -= length;
      this.counted -= length;
      engine.limits.pending.bytes -= length;
      counters.sendsDropped++;
    }
    client.station.limitReached(client, 'sendBufferBytes', 'falls behind; the oldest messages are dropped');
    return this.refusal(more) === undefined;
  }

  /** A send found no room. */
  private overflow(limit: 'sendBufferBytes' | 'pendingBytes'): Failure {
    const { client } = this;
    const { station } = client;
    const waiting = `${this.pendingBytes} bytes wait for this client already`;
    if (limit === 'pendingBytes') {
      station.engine.limits.pending.refused++;
      station.limitReached(
        client,
        'pendingBytes of the engine',
        'too much waits for all clients; sends are refused',
      );
      return new Failure(`overloaded: ${waiting}, and too many for all`);
    }
    station.counters.sendsRefused++;
    if (station.limits.sendOverflow !== 'close') {
      station.limitReached(client, limit, 'does not take what it is sent; sends are refused');
      return new Failure(`queue_full: ${waiting}`);
    }
    closeFor(client, 'closedOverflow', limit, 'does not take what it is sent');
    return new Failure(`queue_full: ${waiting}, so it is closed`);
  }

  /** Whether the connection has something already, and `more` bytes are too many for its part. */
  private fills(more: number, part: number): boolean {
    const { pendingBytes } = this.client.connection;
    return pendingBytes > 0 && pendingBytes + more > part;
  }

  /** Gives the connection what waits, up to its part. */
  private refill(part: number): void {
    const { queue } = this;
    if (!queue) return;
    while (queue.length > 0 && !this.fills(queue[0]!.bytes.length, part)) {
      const { bytes, type } = queue.shift()!;
      this.queued -= bytes.length;
      this.write(bytes, type);
    }
    if (queue.length === 0) this.queue = undefined;
  }

  private write(bytes: Uint8Array, type: MessageType | undefined): void {
    const { client } = this;
    const { station } = client;
    station.counters.sends++;
    station.counters.bytesOut += bytes.length;
    client.bytesOut += bytes.length;
    station.frames.add(client.id, true, bytes, performance.now());
    if (client.tracers) client.trace({ event: 'out', hex: hexOf(bytes) });
    // A small array lies in the heap, from which a socket would move it out first: a copy in Node's pool costs less.
    client.connection.write(
      bytes.length <= HEAP_ARRAY && !Buffer.isBuffer(bytes) ? Buffer.from(bytes) : bytes,
      type,
    );
  }
}
