/**
 * One record of a segment: a header of 12 bytes (big endian) and the payload. README.md has the byte table.
 *
 * Both checks are seeded with the record's position, so a copy of a record somewhere else, for instance inside
 * another record's payload, never passes for one.
 */

import { crc32 } from 'node:zlib';

/** Bytes before the payload: mark (2), header check (2), payload length (4), CRC-32 (4). */
export const RECORD_HEADER_BYTES = 12;
/** Longest payload. */
export const MAX_RECORD_BYTES = 2 ** 20;

const MARK = 0xa5c3;
const MARK_BYTES = Buffer.from([MARK >> 8, MARK & 0xff]);

/** CRC-32 over position (64 bits) and payload length (32 bits): seeds the record's CRC. */
function headerCrc(position: number, length: number): number {
  const scratch = Buffer.allocUnsafe(12);
  scratch.writeUInt32BE(Math.floor(position / 2 ** 32), 0);
  scratch.writeUInt32BE(position % 2 ** 32, 4);
  scratch.writeUInt32BE(length, 8);
  return crc32(scratch);
}

/** CRC-32 of a payload; node:zlib answers 0 for an empty one without memory, whatever the seed. */
function payloadCrc(payload: Uint8Array, seed: number): number {
  return payload.length === 0 ? seed : crc32(payload, seed);
}

/**
 * Writes the record of `payload` into `target` from `offset` on and returns the number of bytes written.
 * `position` is where the record begins in the journal.
 */
export function writeRecord(target: Buffer, offset: number, position: number, payload: Uint8Array): number {
  const seed = headerCrc(position, payload.length);
  target.writeUInt16BE(MARK, offset);
  target.writeUInt16BE(seed & 0xffff, offset + 2);
  target.writeUInt32BE(payload.length, offset + 4);
  target.writeUInt32BE(payloadCrc(payload, seed), offset + 8);
  target.set(payload, offset + RECORD_HEADER_BYTES);
  return RECORD_HEADER_BYTES + payload.length;
}

/** The payload of a record just written at `offset`, sharing memory with `bytes`; nothing is checked. */
export function payloadAt(bytes: Buffer, offset: number): Buffer {
  const start = offset + RECORD_HEADER_BYTES;
  return bytes.subarray(start, start + bytes.readUInt32BE(offset + 4));
}

/** The payload of the record at `offset`, sharing memory with `bytes`; undefined when there is no valid one. */
function readRecord(bytes: Buffer, offset: number, position: number): Buffer | undefined {
  const start = offset + RECORD_HEADER_BYTES;
  if (start > bytes.length || bytes.readUInt16BE(offset) !== MARK) return undefined;
  const length = bytes.readUInt32BE(offset + 4);
  if (length > MAX_RECORD_BYTES || start + length > bytes.length) return undefined;
  const seed = headerCrc(position, length);
  // The short check first: false marks in damaged bytes must not cost a CRC over a made-up length each.
  if (bytes.readUInt16BE(offset + 2) !== (seed & 0xffff)) return undefined;
  const payload = bytes.subarray(start, start + length);
  return payloadCrc(payload, seed) === bytes.readUInt32BE(offset + 8) ? payload : undefined;
}

/** What a scan meets. */
export interface ScanHandler {
  /** A valid record; `payload` shares memory with what is scanned. */
  record(payload: Buffer, position: number): void;
  /** Bytes that belong to no valid record, from offset `from` to before `to`. */
  bad(from: number, to: number): void;
}

/**
 * Reads records from `offset` to the end of `bytes`; after damage it goes on at the next valid record.
 * `position` is that of the byte at `offset`. Returns the offset after the last valid record.
 */
export function scanRecords(bytes: Buffer, offset: number, position: number, handler: ScanHandler): number {
  let [next, goodEnd] = [offset, offset];
  while (next < bytes.length) {
    const payload = readRecord(bytes, next, position + next - offset);
    if (payload) {
      if (next > goodEnd) handler.bad(goodEnd, next);
      handler.record(payload, position + next - offset);
      next += RECORD_HEADER_BYTES + payload.length;
      goodEnd = next;
    } else {
      const mark = bytes.indexOf(MARK_BYTES, next + 1);
      next = mark === -1 ? bytes.length : mark;
    }
  }
  if (goodEnd < bytes.length) handler.bad(goodEnd, bytes.length);
  return goodEnd;
}
