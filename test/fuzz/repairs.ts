/** Lengths and checksums put right after a change, so that what is behind them is reached. One row a protocol. */

import { crc } from '../../src/bytes/crc.js';

type Repair = (frame: Buffer) => Buffer;

const crcOf = (name: string, bytes: Uint8Array): number => Number(crc(name).compute(bytes));
const sum = (bytes: Uint8Array): number => bytes.reduce((total, byte) => (total + byte) & 0xff, 0);
const xor = (bytes: Uint8Array): number => bytes.reduce((total, byte) => total ^ byte, 0);
const hex2 = (value: number): string => value.toString(16).toUpperCase().padStart(2, '0');

/** Puts `check` over the bytes from `from` to `size + after` bytes before the end in front of the last `after`. */
function checked(
  frame: Buffer,
  from: number,
  size: 1 | 2,
  after: number,
  check: (part: Buffer) => number,
  little = false,
): Buffer {
  const at = frame.length - after - size;
  if (at <= from) return frame;
  const value = check(frame.subarray(from, at));
  if (size === 1) frame[at] = value;
  else if (little) frame.writeUInt16LE(value, at);
  else frame.writeUInt16BE(value, at);
  return frame;
}

/** `*` and two hexadecimal digits. */
function starred(frame: Buffer, from: number, check: (part: Buffer) => number, withStar = false): Buffer {
  const star = frame.lastIndexOf(0x2a);
  if (star < from || frame.length < star + 3) return frame;
  frame.write(hex2(check(frame.subarray(from, withStar ? star + 1 : star))), star + 1, 'latin1');
  return frame;
}

function gt06(frame: Buffer): Buffer {
  const long = frame[0] === 0x79;
  const head = long ? 4 : 3;
  if (frame.length < head + 6) return frame;
  frame.fill(frame[0] === 0x79 ? 0x79 : 0x78, 0, 2);
  if (long) frame.writeUInt16BE(frame.length - 6, 2);
  else frame[2] = (frame.length - 5) & 0xff;
  frame.set([0x0d, 0x0a], frame.length - 2);
  return checked(frame, 2, 2, 2, (part) => crcOf('CRC-16/IBM-SDLC', part));
}

function jt808(frame: Buffer): Buffer {
  if (frame.length < 15) return frame;
  const inner = [...frame.subarray(1, -2)].map((byte) => (byte === 0x7e || byte === 0x7d ? 0 : byte));
  // The length of the body stands in ten bits of the properties.
  const body = Math.max(0, inner.length - 12 - (inner[2]! & 0x20 ? 4 : 0) - (inner[2]! & 0x40 ? 5 : 0));
  inner[2] = (inner[2]! & 0xfc) | ((body >> 8) & 3);
  inner[3] = body & 0xff;
  const escaped = [...inner, xor(Uint8Array.from(inner))].flatMap((byte) =>
    byte === 0x7e ? [0x7d, 2] : byte === 0x7d ? [0x7d, 1] : [byte],
  );
  return Buffer.from([0x7e, ...escaped, 0x7e]);
}

function teltonika(frame: Buffer): Buffer {
  if (frame.length < 13 || frame.readUInt32BE(0) !== 0) return frame;
  frame.writeUInt32BE(frame.length - 12, 4);
  frame.writeUInt32BE(crcOf('CRC-16/ARC', frame.subarray(8, -4)), frame.length - 4);
  return frame;
}

function mbus(frame: Buffer): Buffer {
  if (frame[0] !== 0x68 || frame.length < 9) return frame;
  const length = (frame.length - 6) & 0xff;
  frame.set([0x68, length, length, 0x68]);
  frame[frame.length - 1] = 0x16;
  return checked(frame, 4, 1, 1, sum);
}

function dlt645(frame: Buffer): Buffer {
  const start = frame.indexOf(0x68);
  if (start < 0 || frame.length < start + 12) return frame;
  frame[start + 7] = 0x68;
  frame[start + 9] = (frame.length - start - 12) & 0xff;
  frame[frame.length - 1] = 0x16;
  return checked(frame, start, 1, 1, sum);
}

function hdlc(frame: Buffer): Buffer {
  if (frame[0] !== 0x7e || frame.length < 9) return frame;
  frame.writeUInt16BE(0xa000 | ((frame.length - 2) & 0x7ff), 1);
  frame[frame.length - 1] = 0x7e;
  return checked(frame, 1, 2, 1, (part) => crcOf('CRC-16/IBM-SDLC', part), true);
}

function modbusTcp(frame: Buffer): Buffer {
  if (frame.length < 8) return frame;
  frame.writeUInt16BE(0, 2);
  frame.writeUInt16BE(frame.length - 6, 4);
  return frame;
}

/** Fill bytes, their number and the CRC of a transport file. */
function sml(frame: Buffer): Buffer {
  const padded = frame.subarray(0, frame.length - (frame.length % 4));
  if (padded.length < 24) return frame;
  padded.set([0x1b, 0x1b, 0x1b, 0x1b, 0x1a], padded.length - 8);
  return checked(padded, 0, 2, 0, (part) => crcOf('CRC-16/IBM-SDLC', part), true);
}

function dsmr(frame: Buffer): Buffer {
  const end = frame.lastIndexOf(0x21);
  if (end < 0) return frame;
  const value = crcOf('CRC-16/ARC', frame.subarray(0, end + 1));
  return Buffer.concat([
    frame.subarray(0, end + 1),
    Buffer.from(`${value.toString(16).toUpperCase().padStart(4, '0')}\r\n`),
  ]);
}

function meitrack(frame: Buffer): Buffer {
  return starred(frame, 0, sum, true);
}

/** By the name of the module; others have nothing to put right. */
export const REPAIRS: Readonly<Partial<Record<string, Repair>>> = {
  dlms_han: hdlc,
  dlt645,
  dsmr_p1: dsmr,
  gt06,
  iec62056_21: (frame) => checked(frame, 1, 1, 0, xor),
  jt808,
  mbus,
  meitrack,
  modbus_rtu: (frame) => checked(frame, 0, 2, 0, (part) => crcOf('CRC-16/MODBUS', part), true),
  modbus_tcp: modbusTcp,
  nmea0183: (frame) => starred(frame, 1, xor),
  sml,
  teltonika,
};
