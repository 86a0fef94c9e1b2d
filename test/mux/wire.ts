/** The wire, slow and obvious: what the decoder is checked against, and what hand-made peers speak with. */
import { once } from 'node:events';
import { type Duplex, duplexPair } from 'node:stream';
import { Session, type SessionOptions } from '../../src/mux/index.js';

/** One frame, complete. */
export interface WireFrame {
  type: number;
  flags: number;
  id: number;
  body: Buffer;
}

/** A frame from its parts; nothing is checked, so that wrong ones can be made. */
export function frame(
  type: number,
  id: number,
  body: Uint8Array | string | number[] = [],
  flags = 0,
  length?: number,
) {
  const bytes = Buffer.from(body as Uint8Array);
  const header = Buffer.alloc(8);
  header.writeUIntBE(length ?? bytes.length, 0, 3);
  header[3] = type * 16 + flags;
  header.writeUInt32BE(id >>> 0, 4);
  return Buffer.concat([header, bytes]);
}

const u32 = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};

export const rst = (id: number, code: number) => frame(0, id, u32(code));
export const data = (id: number, body: Uint8Array | string = '', flags = 0) =>
  frame(1, id, body as Uint8Array, flags);
export const syn = (id: number, body: Uint8Array | string = '') => data(id, body, 2);
export const fin = (id: number, body: Uint8Array | string = '') => data(id, body, 1);
export const wndinc = (id: number, increment: number) => frame(2, id, u32(increment));
export const goaway = (last: number, code: number, debug = '') =>
  frame(3, 0, Buffer.concat([u32(last), u32(code), Buffer.from(debug)]));

/** Cuts whole frames off the front of `bytes`; returns them and the rest. */
export function parse(bytes: Buffer): { frames: WireFrame[]; rest: Buffer } {
  const frames: WireFrame[] = [];
  let at = 0;
  while (bytes.length - at >= 8) {
    const length = bytes.readUIntBE(at, 3);
    if (bytes.length - at - 8 < length) break;
    const body = bytes.subarray(at + 8, at + 8 + length);
    frames.push({
      type: bytes[at + 3]! >> 4,
      flags: bytes[at + 3]! & 15,
      id: bytes.readUInt32BE(at + 4),
      body,
    });
    at += 8 + length;
  }
  return { frames, rest: bytes.subarray(at) };
}

/** `RST #3 4`, `DATA #3 SYN "hi"`, `WNDINC #3 131072`, `GOAWAY 5 1 "text"`: for comparing in tests. */
export function show({ type, flags, id, body }: WireFrame): string {
  if (type === 0) return `RST #${id} ${body.readUInt32BE()}`;
  if (type === 2) return `WNDINC #${id} ${body.readUInt32BE()}`;
  if (type === 3)
    return `GOAWAY ${body.readUInt32BE()} ${body.readUInt32BE(4)} "${body.toString('utf8', 8)}"`;
  const marks = `${flags & 2 ? ' SYN' : ''}${flags & 1 ? ' FIN' : ''}`;
  return `DATA #${id}${marks} ${body.length > 40 ? `${body.length} bytes` : JSON.stringify(body.toString())}`;
}

/** A peer that speaks frames by hand. */
export class Peer {
  /** Everything received and not yet taken by `next`. */
  readonly frames: WireFrame[] = [];
  ended = false;
  private rest: Buffer = Buffer.alloc(0);

  constructor(readonly transport: Duplex) {
    transport.on('data', (chunk: Buffer) => {
      const { frames, rest } = parse(Buffer.concat([this.rest, chunk]));
      this.rest = rest;
      this.frames.push(...frames);
      transport.emit('frames');
    });
    transport.on('end', () => {
      this.ended = true;
      transport.emit('frames');
      transport.end();
    });
    transport.on('error', () => {});
  }

  send(...parts: Uint8Array[]): void {
    this.transport.write(Buffer.concat(parts));
  }

  /** The next frame as {@link show} writes it; 'end' when the transport ended. */
  async next(): Promise<string> {
    while (this.frames.length === 0) {
      if (this.ended) return 'end';
      await once(this.transport, 'frames');
    }
    return show(this.frames.shift()!);
  }

  /** All frames until the transport ends. */
  async untilEnd(): Promise<string[]> {
    const seen: string[] = [];
    for (let text = await this.next(); text !== 'end'; text = await this.next()) seen.push(text);
    return seen;
  }
}

/** A session over memory, and the hand-made peer at the other end. */
export function sessionAndPeer(options: SessionOptions): { session: Session; peer: Peer; transport: Duplex } {
  const [near, far] = duplexPair();
  return { session: new Session(near, options), peer: new Peer(far), transport: near };
}

/** Lets everything that is due happen: several turns of the event loop. */
export async function settle(turns = 10): Promise<void> {
  for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** Reads a stream to its end as text. Unlike a plain `for await`, leaves its own half open. */
export async function textOf(stream: Duplex): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream.iterator({ destroyOnReturn: false })) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
