/** The way back from the framings that encode their payload: a payload as it stands on the wire. */
import { crc } from './crc.js';
import type { Options } from './options.js';

const SLIP = {
  end: 0xc0,
  mark: 0xdb,
  replacements: new Map([
    [0xc0, 0xdc],
    [0xdb, 0xdd],
  ]),
};
const HDLC = {
  end: 0x7e,
  mark: 0x7d,
  replacements: new Map([
    [0x7e, 0x5e],
    [0x7d, 0x5d],
  ]),
};

/** Makes wire bytes of a payload. */
type Wrap = (payload: Uint8Array, options: Options) => Uint8Array;

/** By the names of the framings. */
export const WRAPS: ReadonlyMap<string, Wrap> = new Map<string, Wrap>([
  [
    'slip',
    (payload, options) => {
      options.done();
      return stuff(payload, SLIP);
    },
  ],
  ['hdlc', hdlc],
  ['cobs', cobs],
]);

/** `hdlc{crc}` (RFC 1662): the CRC, least significant byte first, then flags and escapes. */
function hdlc(payload: Uint8Array, options: Options): Uint8Array {
  const name = options.text('crc', '');
  options.done();
  if (name === '') return stuff(payload, HDLC);
  const check = crc(name);
  const trailer = Buffer.alloc(check.size);
  let value = BigInt(check.compute(payload));
  for (let i = 0; i < check.size; i++, value >>= 8n) trailer[i] = Number(value & 0xffn);
  return stuff(Buffer.concat([payload, trailer]), HDLC);
}

/** A payload between two end marks, its marks and escapes replaced. */
function stuff(payload: Uint8Array, { end, mark, replacements }: typeof SLIP): Uint8Array {
  let extra = 2;
  for (const byte of payload) if (byte === end || byte === mark) extra++;
  const wire = new Uint8Array(payload.length + extra);
  let at = 0;
  wire[at++] = end;
  for (const byte of payload) {
    const replacement = byte === end || byte === mark ? replacements.get(byte) : undefined;
    if (replacement === undefined) wire[at++] = byte;
    else {
      wire[at++] = mark;
      wire[at++] = replacement;
    }
  }
  wire[at] = end;
  return wire;
}

/** `cobs{reduced = false}`: code bytes in place of zeros, then the zero that ends the packet. */
function cobs(payload: Uint8Array, options: Options): Uint8Array {
  const reduced = options.boolean('reduced', false);
  options.done();
  const wire = new Uint8Array(payload.length + Math.floor(payload.length / 254) + 2);
  let code = 0;
  let at = 1;
  payload.forEach((byte, i) => {
    if (byte !== 0) wire[at++] = byte;
    // A block ends at a zero, and when it is full: after the last byte no empty one is begun.
    if (byte === 0 || (at - code === 0xff && i < payload.length - 1)) {
      wire[code] = at - code;
      code = at++;
    }
  });
  const length = at - code;
  const last = wire[at - 1]!;
  if (reduced && length > 1 && last >= length) {
    // COBS/R: the last byte takes the place of its block's code when it is no smaller.
    wire[code] = last;
    at--;
  } else wire[code] = length;
  wire[at++] = 0;
  return wire.subarray(0, at);
}
