/** Puts TCP segments back into their order by sequence number, repeats left out, and tells connections apart. */

import type { CaptureEvent } from './event.js';
import type { Segment } from './network.js';

/** Connections followed at a time; the one that was silent longest is given up beyond. */
const MAX_CONNECTIONS = 10_000;
/** Segments of one direction that wait for an earlier one; beyond, the earlier one is taken for lost. */
const MAX_WAITING = 256;

interface Direction {
  /** Sequence number of the next byte; undefined before the first segment. */
  next?: number;
  waiting: { sequence: number; bytes: Uint8Array }[];
  /** Its FIN was seen. */
  ended?: boolean;
}

interface Connection {
  name: string;
  /** `address:port` of the device. */
  device: string;
  toGateway: Direction;
  toDevice: Direction;
}

/** Ports that tell which side is the device; without one it is the side that was heard first. */
export interface Sides {
  /** The gateway's port, to which devices connect. Other traffic is left out. */
  port?: number;
  /** The devices' port, to which the gateway connects. Other traffic is left out. */
  devicePort?: number;
}

export class Streams {
  private readonly connections = new Map<string, Connection>();
  private count = 0;

  constructor(private readonly sides: Sides) {}

  /** Whether the segment is of the chosen port. */
  wants({ fromPort, toPort }: Segment): boolean {
    const { port, devicePort } = this.sides;
    const chosen = port ?? devicePort;
    return chosen === undefined || fromPort === chosen || toPort === chosen;
  }

  /** Takes a segment in the order of capture; yields what is in order by it. */
  *take(segment: Segment, time: number | undefined): Generator<CaptureEvent> {
    const key = [segment.transport, ...[segment.from, segment.to].sort()].join(' ');
    let connection = this.connections.get(key);
    // A first SYN begins anew, unless it is a repeat.
    if (connection && segment.syn && !segment.ack && this.isNew(connection, segment)) {
      yield* this.close(key, connection, time);
      connection = undefined;
    }
    // The last acknowledgements of a connection that is over begin no other one.
    if (!connection && segment.bytes.length === 0 && !segment.syn) return;
    connection ??= this.open(segment);
    this.connections.delete(key);
    this.connections.set(key, connection);
    const fromDevice = segment.from === connection.device;
    if (segment.transport === 'udp') {
      yield event(connection, 'datagram', fromDevice, time, segment.bytes);
    } else {
      yield* this.reassemble(connection, fromDevice, segment, time);
      if (segment.fin) (fromDevice ? connection.toGateway : connection.toDevice).ended = true;
      const ended = connection.toGateway.ended && connection.toDevice.ended;
      if (segment.rst || ended) yield* this.close(key, connection, time);
    }
    for (const [oldest, idle] of this.connections) {
      if (this.connections.size <= MAX_CONNECTIONS) break;
      yield* this.close(oldest, idle, time);
    }
  }

  /** The capture is over: what still waits comes, with what is lost before it. */
  *end(): Generator<CaptureEvent> {
    for (const [key, connection] of this.connections) yield* this.close(key, connection, undefined);
  }

  private isNew({ device, toGateway, toDevice }: Connection, segment: Segment): boolean {
    const { next } = segment.from === device ? toGateway : toDevice;
    return next !== undefined && next !== (segment.sequence + 1) >>> 0;
  }

  private open(segment: Segment): Connection {
    const { port, devicePort } = this.sides;
    // An answer heard first (SYN and ACK) comes from the side that was connected to.
    const reversed =
      port !== undefined
        ? segment.fromPort === port
        : devicePort !== undefined
          ? segment.toPort === devicePort
          : segment.syn && segment.ack;
    const [device, gateway] = reversed ? [segment.to, segment.from] : [segment.from, segment.to];
    const name = `${++this.count} ${segment.transport} ${device} - ${gateway}`;
    return { name, device, toGateway: { waiting: [] }, toDevice: { waiting: [] } };
  }

  private *reassemble(
    connection: Connection,
    fromDevice: boolean,
    { sequence, syn, bytes }: Segment,
    time: number | undefined,
  ): Generator<CaptureEvent> {
    const direction = fromDevice ? connection.toGateway : connection.toDevice;
    const first = syn ? (sequence + 1) >>> 0 : sequence;
    direction.next ??= first;
    if (bytes.length === 0) return;
    direction.waiting.push({ sequence: first, bytes });
    direction.waiting.sort((a, b) => ahead(a.sequence, b.sequence));
    yield* this.drain(connection, fromDevice, time, MAX_WAITING);
  }

  /** Hands out what is in order; what is missing is lost once more than `patience` segments wait for it. */
  private *drain(
    connection: Connection,
    fromDevice: boolean,
    time: number | undefined,
    patience: number,
  ): Generator<CaptureEvent> {
    const direction = fromDevice ? connection.toGateway : connection.toDevice;
    const { waiting } = direction;
    for (let head = waiting[0]; head; head = waiting[0]) {
      const gap = ahead(head.sequence, direction.next!);
      if (gap > 0) {
        if (waiting.length <= patience) return;
        yield { ...event(connection, 'lost', fromDevice, time), count: gap };
        direction.next = head.sequence;
      }
      waiting.shift();
      const fresh = head.bytes.subarray(Math.max(0, -gap));
      if (fresh.length === 0) continue;
      direction.next = (direction.next! + fresh.length) >>> 0;
      yield event(connection, 'data', fromDevice, time, fresh);
    }
  }

  private *close(key: string, connection: Connection, time: number | undefined): Generator<CaptureEvent> {
    yield* this.drain(connection, true, time, 0);
    yield* this.drain(connection, false, time, 0);
    this.connections.delete(key);
    yield event(connection, 'end', true, time);
  }
}

function event(
  { name }: Connection,
  kind: CaptureEvent['kind'],
  fromDevice: boolean,
  time: number | undefined,
  bytes: Uint8Array = new Uint8Array(0),
): CaptureEvent {
  return { connection: name, kind, fromDevice, time, bytes, count: bytes.length };
}

/** How far a is ahead of b, modulo 2^32 (RFC 9293, 3.4). */
function ahead(a: number, b: number): number {
  return (a - b) | 0;
}
