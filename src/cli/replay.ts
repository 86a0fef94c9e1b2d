/** `moonwire replay`: plays a capture through a protocol, offline, and prints what it makes of it. */

import { once } from 'node:events';
import { OfflinePeer } from '../engine/offline.js';
import type { Protocol } from '../engine/protocol.js';
import type { CaptureEvent, PassedOver } from './capture/event.js';
import { captureEvents } from './capture/open.js';
import type { Sides } from './capture/streams.js';
import { loadProtocol, MAX_FRAME } from './decode.js';
import { EXIT } from './exit.js';
import { hexDump } from './hex-dump.js';
import { bytesAsHex } from './test-difference.js';

/** Prints frames, messages, replies and discarded bytes in order, and totals last; returns the exit code. */
export async function replay(capture: string, script: string, sides: Sides): Promise<number> {
  const passed: PassedOver = new Map();
  const player = new Player(loadProtocol(script));
  for await (const event of captureEvents(capture, sides, passed)) {
    player.play(event);
    if (process.stdout.writableNeedDrain) await once(process.stdout, 'drain');
  }
  print(player.totals());
  for (const [reason, count] of passed) print(`passed over ${count} packets: ${reason}`);
  return EXIT.done;
}

class Player {
  private readonly peers = new Map<string, OfflinePeer>();
  private shown = '';
  private readonly counts = { connections: 0, frames: 0, messages: 0, replies: 0, errors: 0 };
  private readonly bytes = { discarded: 0, lost: 0 };

  constructor(private readonly protocol: Protocol) {}

  play({ connection, kind, fromDevice, time, bytes, count }: CaptureEvent): void {
    if (kind === 'end') {
      // What is incomplete is given up now.
      if (this.protocol.framed) this.peers.get(connection)?.feed(bytes, true);
      this.peers.delete(connection);
      return;
    }
    const what = kind === 'lost' ? 'the capture lacks ' : '';
    this.say(connection, `${stamp(time)}${fromDevice ? '<' : '>'} ${what}${count} bytes`);
    if (kind === 'lost') this.bytes.lost += count;
    else if (!fromDevice) print(hexDump(bytes));
    else if (kind === 'datagram') this.peer(connection).datagram(bytes);
    else this.peer(connection).feed(bytes);
  }

  totals(): string {
    const counts = Object.entries(this.counts).map(([name, count]) => `${count} ${name}`);
    return `${counts.join(', ')}, ${this.bytes.discarded} bytes discarded, ${this.bytes.lost} bytes lost`;
  }

  /** Prints under the connection's heading. */
  private say(connection: string, text: string): void {
    if (this.shown !== connection) print(`== connection ${connection}`);
    this.shown = connection;
    print(text);
  }

  private peer(connection: string): OfflinePeer {
    let peer = this.peers.get(connection);
    if (peer) return peer;
    const { counts } = this;
    counts.connections++;
    peer = new OfflinePeer(this.protocol, MAX_FRAME, {
      frame: (bytes) => {
        counts.frames++;
        this.say(connection, `  frame ${bytes.length} bytes\n${hexDump(bytes, '    ')}`);
      },
      message: (message) => {
        counts.messages++;
        this.say(connection, `    message ${JSON.stringify(message, bytesAsHex)}`);
      },
      reply: (bytes) => {
        counts.replies++;
        this.say(connection, `    reply ${bytes.length} bytes\n${hexDump(bytes, '    ')}`);
      },
      discard: (bytes, reason) => {
        this.bytes.discarded += bytes.length;
        this.say(connection, `  discarded ${bytes.length} bytes (${reason})\n${hexDump(bytes, '    ')}`);
      },
      error: (message) => {
        counts.errors++;
        this.say(connection, `    error ${message}`);
      },
    });
    this.peers.set(connection, peer);
    return peer;
  }
}

function stamp(time: number | undefined): string {
  if (time === undefined) return '';
  const date = new Date(time * 1000);
  // A damaged capture may hold times that no calendar has.
  return `${Number.isNaN(date.getTime()) ? `${time} s` : date.toISOString()} `;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
