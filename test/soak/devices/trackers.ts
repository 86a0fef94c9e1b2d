/** GT06 and JT/T 808 trackers, whose number travels in the time of a position (`lua/tracker.lua`). */

import { crc } from '../../../src/bytes/crc.js';
import { type Heard, nothing, type Speech } from './speech.js';

const BASE = 1_750_000_000;
const x25 = crc('CRC-16/IBM-SDLC');

/** Year, month, day, hour, minute, second of a number's time. */
function clock(n: number, zoneHours = 0): number[] {
  const date = new Date((BASE + n + zoneHours * 3600) * 1000);
  return [
    date.getUTCFullYear() - 2000,
    date.getUTCMonth() + 1,
    date.getUTCDate(),
    date.getUTCHours(),
    date.getUTCMinutes(),
    date.getUTCSeconds(),
  ];
}

/** A tracker knows which serial number stood for which report. */
class Serials {
  private readonly open = new Map<number, number>();

  give(n: number): number {
    this.open.set(n & 0xffff, n);
    return n & 0xffff;
  }

  take(serial: number): number[] {
    const n = this.open.get(serial);
    this.open.delete(serial);
    return n === undefined ? [] : [n];
  }
}

/** 78 78 · length · type · body · serial · CRC · 0d 0a. */
export class Gt06Speech implements Speech {
  private readonly serials = new Serials();
  private rest = Buffer.alloc(0);

  /** `imei`: 15 digits. */
  constructor(private readonly imei: string) {}

  hello(): Uint8Array {
    return frame(0x01, Buffer.from(`0${this.imei}`, 'hex'), 0);
  }

  report(n: number): Uint8Array {
    const body = Buffer.alloc(26);
    body.set(clock(n), 0);
    body[6] = 0xc9;
    body.writeUInt32BE(48_000_000 * 1.8, 7);
    body.writeUInt32BE(11_000_000 * 1.8, 11);
    body.writeUInt16BE(0x1400, 16);
    body.set([0x01, 0xcc, 0x00, 0x28, 0x7d, 0x00, 0x1f, 0xb8], 18);
    return frame(0x12, body, this.serials.give(n));
  }

  hear(bytes: Buffer): Heard {
    this.rest = Buffer.concat([this.rest, bytes]);
    const heard = nothing();
    for (; this.rest.length >= 10; this.rest = this.rest.subarray(10)) {
      if (this.rest[3] === 0x01) heard.welcome = true;
      else heard.taken.push(...this.serials.take(this.rest.readUInt16BE(4)));
    }
    return heard;
  }
}

function frame(type: number, body: Uint8Array, serial: number): Buffer {
  const checked = Buffer.from([body.length + 5, type, ...body, serial >> 8, serial & 0xff]);
  const sum = Number(x25.compute(checked));
  return Buffer.from([0x78, 0x78, ...checked, sum >> 8, sum & 0xff, 0x0d, 0x0a]);
}

/** 7e · message · length · terminal · serial · body · XOR · 7e, escaped. */
export class Jt808Speech implements Speech {
  private readonly serials = new Serials();
  private rest = Buffer.alloc(0);

  /** `terminal`: 12 digits. */
  constructor(private readonly terminal: string) {}

  report(n: number): Uint8Array {
    const body = Buffer.alloc(28);
    body.writeUInt32BE(2, 4);
    body.writeUInt32BE(48_000_000, 8);
    body.writeUInt32BE(11_000_000, 12);
    body.set(
      clock(n, 8).map((digits) => Math.floor(digits / 10) * 16 + (digits % 10)),
      22,
    );
    const serial = this.serials.give(n);
    const head = [
      0x02,
      0x00,
      0x00,
      body.length,
      ...Buffer.from(this.terminal, 'hex'),
      serial >> 8,
      serial & 0xff,
    ];
    const checked = [...head, ...body];
    const escaped = [...checked, checked.reduce((sum, byte) => sum ^ byte, 0)].flatMap((byte) =>
      byte === 0x7e ? [0x7d, 0x02] : byte === 0x7d ? [0x7d, 0x01] : [byte],
    );
    return Buffer.from([0x7e, ...escaped, 0x7e]);
  }

  hear(bytes: Buffer): Heard {
    this.rest = Buffer.concat([this.rest, bytes]);
    const heard = nothing();
    for (let end = this.rest.indexOf(0x7e, 1); end > 0; end = this.rest.indexOf(0x7e, 1)) {
      const inner = this.rest.subarray(1, end);
      this.rest = this.rest.subarray(end + 1);
      const plain: number[] = [];
      for (let i = 0; i < inner.length; i++) {
        plain.push(inner[i] === 0x7d ? (inner[++i] === 0x02 ? 0x7e : 0x7d) : inner[i]!);
      }
      const message = Buffer.from(plain);
      // 8001: serial, message and result of what is answered. Other results than 0 are refusals.
      if (message.readUInt16BE(0) === 0x8001 && message[16] === 0)
        heard.taken.push(...this.serials.take(message.readUInt16BE(12)));
    }
    return heard;
  }
}
