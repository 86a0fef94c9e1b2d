/**
 * Reads the segments a journal finds when it opens. Whatever the files hold, it ends with a list of segments and
 * a position to go on from.
 */

import { join } from 'node:path';
import { messageOf } from '../errors.js';
import type { Logger } from '../log.js';
import { type FileSystem, readBounded } from './files.js';
import { scanRecords } from './record.js';
import { checkHeader, MAX_SEGMENT_BYTES, SEGMENT_HEADER_BYTES, segmentBase, segmentName } from './segment.js';
import { setAside } from './set-aside.js';

/** A segment on disk. */
export interface SegmentFile {
  /** Position of its first record. */
  readonly base: number;
  /** Position after its last record. */
  end: number;
  /** Bytes of the file. */
  bytes: number;
}

/** Takes a record; `payload` is only valid during the call. */
export type Replay = (payload: Buffer, position: number) => void;

/** What recovery found. */
export class Recovered {
  /** Segments in order. */
  readonly segments: SegmentFile[] = [];
  /** Position from which to go on. */
  end: number;
  /** Whether the last segment can be written on. */
  resumable = false;
  /** Damaged parts: runs of bytes that belong to no record, segments that are missing or cannot be read. */
  damagedParts = 0;
  /** Their bytes. */
  damagedBytes = 0;
  /** Bytes of an unfinished write at the very end. */
  tornBytes = 0;

  constructor(from: number) {
    this.end = from;
  }

  addDamage(bytes: number): void {
    this.damagedParts++;
    this.damagedBytes += bytes;
  }
}

/** Reads all segments of `folder` and hands on every valid record from position `from` on. */
export async function recover(
  fs: FileSystem,
  folder: string,
  from: number,
  replay: Replay,
  log: Logger,
): Promise<Recovered> {
  const found = new Recovered(from);
  const bases = (await fs.readdir(folder)).flatMap((name) => segmentBase(name) ?? []).sort((a, b) => a - b);
  for (const [index, base] of bases.entries()) {
    await recoverSegment(base, index === bases.length - 1);
  }
  return found;

  async function recoverSegment(base: number, last: boolean): Promise<void> {
    const name = segmentName(base);
    const previousEnd = found.segments.at(-1)?.end ?? base;
    if (base > Math.max(previousEnd, from)) {
      log.error('a part of the journal is missing', { folder, bytes: base - previousEnd });
      found.addDamage(base - previousEnd);
    }
    found.resumable = false;
    const bytes = await readBounded(fs, join(folder, name), MAX_SEGMENT_BYTES).catch((error: unknown) => {
      log.error('a segment of the journal cannot be read', { file: name, reason: messageOf(error) });
    });
    if (!bytes) {
      found.addDamage(0);
      // The positions it may hold are not given out again.
      if (last) found.end = Math.max(found.end, base + MAX_SEGMENT_BYTES);
      return;
    }
    const header = checkHeader(bytes, base);
    if (header === 'foreign') {
      log.error('a segment of the journal is of another version and is left alone', { file: name });
      found.addDamage(bytes.length);
      await fs.rename(join(folder, name), join(folder, `${name}.foreign`));
      return;
    }
    const bad: [number, number][] = [];
    const firstRecord = Math.min(SEGMENT_HEADER_BYTES, bytes.length);
    if (header === 'bad' && firstRecord > 0) bad.push([0, firstRecord]);
    const goodEnd = scanRecords(bytes, firstRecord, base, {
      record(payload, position) {
        // A segment may repeat the end of the one before it, when a write to that one had failed.
        if (position >= Math.max(previousEnd, from)) replay(payload, position);
      },
      bad: (start, end) => bad.push([start, end]),
    });
    for (const [start, end] of bad) {
      const part = bytes.subarray(start, end);
      const torn = last && start >= goodEnd;
      if (torn) found.tornBytes += part.length;
      else found.addDamage(part.length);
      // A torn tail of zeros is only a file size that reached the disk before its bytes.
      if (!torn || part.some((byte) => byte !== 0)) {
        await setAside(fs, folder, `${name}-${start}`, part, log);
      }
    }
    const end = base + goodEnd - firstRecord;
    found.segments.push({ base, end: Math.max(end, previousEnd), bytes: bytes.length });
    found.resumable = header === 'good' && end >= found.end;
    found.end = Math.max(found.end, end);
  }
}
