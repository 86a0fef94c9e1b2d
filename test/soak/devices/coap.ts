/** CoAP devices that post their reports, each confirmable and sent once (RFC 7252). */

import { type Heard, nothing, type Speech } from './speech.js';

const CON_POST = Buffer.from([0x40, 0x02]);
/** Uri-Path: r. */
const PATH_AND_MARKER = Buffer.from([0xb1, 0x72, 0xff]);
const ACKNOWLEDGEMENT = 0x60;
const SUCCESS = 2;

export class CoapSpeech implements Speech {
  /** Message ids of what is not answered, with their numbers. */
  private readonly open = new Map<number, number>();
  private id = Math.floor(Math.random() * 0x10000);

  constructor(
    private readonly device: string,
    private readonly kind: string,
  ) {}

  report(n: number): Uint8Array {
    this.id = (this.id + 1) & 0xffff;
    this.open.set(this.id, n);
    if (this.open.size > 16) this.open.delete(this.open.keys().next().value!);
    const id = Buffer.from([this.id >> 8, this.id & 0xff]);
    return Buffer.concat([CON_POST, id, PATH_AND_MARKER, Buffer.from(`${this.kind} ${this.device} ${n}`)]);
  }

  /** Answers that come later than their acknowledgement carry no token and are left unheard. */
  hear(bytes: Buffer): Heard {
    if (bytes.length < 4 || (bytes[0]! & 0xf0) !== ACKNOWLEDGEMENT || bytes[1] === 0) return nothing();
    const n = this.open.get(bytes.readUInt16BE(2));
    if (n === undefined) return nothing();
    return bytes[1]! >> 5 === SUCCESS ? { taken: [n], refused: [] } : { taken: [], refused: [n] };
  }
}
