/**
 * One file of a journal: a header and records. A record at position p stands at offset
 * `SEGMENT_HEADER_BYTES + p - base`.
 */

import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { FILE_MODE, type FileSystem, syncFolder } from './files.js';

/** Bytes before the first record: magic (8), version (4), base (8), CRC-32 of these (4). */
export const SEGMENT_HEADER_BYTES = 24;
/** Longest segment that is read; what is beyond it counts as damaged. */
export const MAX_SEGMENT_BYTES = 64 * 2 ** 20;

const MAGIC = Buffer.from('MOONJRNL', 'latin1');
const VERSION = 1;
const NAME = /^segment-([0-9a-f]{14})$/;

/** File name of the segment whose first record has position `base`. */
export function segmentName(base: number): string {
  return `segment-${base.toString(16).padStart(14, '0')}`;
}

/** The base in a segment's file name; undefined for other files. */
export function segmentBase(name: string): number | undefined {
  const match = NAME.exec(name);
  const base = match ? Number.parseInt(match[1]!, 16) : undefined;
  return base !== undefined && Number.isSafeInteger(base) ? base : undefined;
}

/** The header of the segment that begins at `base`. */
function encodeHeader(base: number): Buffer {
  const header = Buffer.alloc(SEGMENT_HEADER_BYTES);
  MAGIC.copy(header);
  header.writeUInt32BE(VERSION, 8);
  header.writeBigUInt64BE(BigInt(base), 12);
  header.writeUInt32BE(crc32(header.subarray(0, 20)), 20);
  return header;
}

/** What a segment's header says: `good`, `foreign` (sound, but another version) or `bad`. */
export function checkHeader(bytes: Buffer, base: number): 'good' | 'foreign' | 'bad' {
  if (bytes.length < SEGMENT_HEADER_BYTES || !bytes.subarray(0, 8).equals(MAGIC)) return 'bad';
  if (crc32(bytes.subarray(0, 20)) !== bytes.readUInt32BE(20)) return 'bad';
  if (bytes.readUInt32BE(8) !== VERSION) return 'foreign';
  return bytes.readBigUInt64BE(12) === BigInt(base) ? 'good' : 'bad';
}

/** The segment that is being written. */
export class SegmentWriter {
  private constructor(
    private readonly handle: FileHandle,
    readonly base: number,
  ) {}

  /** Creates the segment of `base`, in place of one of that name: such a one holds no durable record. */
  static async create(fs: FileSystem, folder: string, base: number): Promise<SegmentWriter> {
    const handle = await fs.open(join(folder, segmentName(base)), 'w', FILE_MODE);
    try {
      await writeAll(handle, encodeHeader(base), 0);
      await syncFolder(fs, folder);
    } catch (error) {
      await handle.close().catch(() => {});
      throw error;
    }
    return new SegmentWriter(handle, base);
  }

  /** Opens an existing segment to go on at position `end`; what is behind it is cut off. */
  static async resume(fs: FileSystem, folder: string, base: number, end: number): Promise<SegmentWriter> {
    const handle = await fs.open(join(folder, segmentName(base)), 'r+');
    const segment = new SegmentWriter(handle, base);
    try {
      await segment.cut(end);
    } catch (error) {
      await segment.close();
      throw error;
    }
    return segment;
  }

  /** Writes the records that begin at `position` and returns when they are on disk. */
  async write(bytes: Uint8Array, position: number): Promise<void> {
    await writeAll(this.handle, bytes, SEGMENT_HEADER_BYTES + position - this.base);
    await this.handle.datasync();
  }

  /** Cuts off what is behind position `end`. */
  async cut(end: number): Promise<void> {
    await this.handle.truncate(SEGMENT_HEADER_BYTES + end - this.base);
    await this.handle.sync();
  }

  /** Closes the file; never fails, since all that counts was synced by `write`. */
  async close(): Promise<void> {
    await this.handle.close().catch(() => {});
  }
}

async function writeAll(handle: FileHandle, bytes: Uint8Array, offset: number): Promise<void> {
  let written = 0;
  while (written < bytes.length) {
    const result = await handle.write(bytes, written, bytes.length - written, offset + written);
    written += result.bytesWritten;
  }
}
