/** Reading a journal back while it is written: a window of bytes at a time, so that memory stays flat. */

import { MAX_RECORD_BYTES, RECORD_HEADER_BYTES, scanRecords } from './record.js';

/** A record that was read back. */
export interface JournalRecord {
  readonly position: number;
  /** Shares memory with the other records of its window. */
  readonly payload: Buffer;
}

/** Records, and the position to read on from. */
export interface JournalWindow {
  readonly records: readonly JournalRecord[];
  readonly next: number;
}

/** A run of positions whose bytes lie together, in a file or in memory. */
export interface Extent {
  /** Position after the last byte. */
  readonly end: number;
  /** The bytes from a position on, at most so many; fewer than asked for and before `end`: they are missing. */
  read(position: number, bytes: number): Promise<Buffer>;
}

/**
 * Reads records of an extent from a position on: `maxBytes` at most, headers included, though one record at least.
 * Without records in it, `next` is behind what could not be read, of which `damaged` is told.
 */
export async function readWindow(
  extent: Extent,
  from: number,
  maxBytes: number,
  damaged: (from: number, to: number) => void,
): Promise<JournalWindow> {
  const window = await scan(extent, from, Math.max(maxBytes, RECORD_HEADER_BYTES), damaged);
  if (window.records.length > 0 || window.next > from) return window;
  // A record longer than the window, or damage: the next sound record is within reach of the longest one.
  const reach = RECORD_HEADER_BYTES + MAX_RECORD_BYTES;
  const wide = await scan(extent, from, 2 * reach, damaged);
  if (wide.next > from) return { records: wide.records.slice(0, 1), next: afterFirst(wide) };
  damaged(from, from + reach);
  return { records: [], next: from + reach };
}

function afterFirst({ records, next }: JournalWindow): number {
  const [first] = records;
  return first ? first.position + RECORD_HEADER_BYTES + first.payload.length : next;
}

async function scan(
  extent: Extent,
  from: number,
  length: number,
  damaged: (from: number, to: number) => void,
): Promise<JournalWindow> {
  const wanted = Math.min(length, extent.end - from);
  const bytes = await extent.read(from, wanted);
  const records: JournalRecord[] = [];
  const toEnd = from + wanted === extent.end || bytes.length < wanted;
  const goodEnd = scanRecords(bytes, 0, from, {
    record: (payload, position) => records.push({ payload, position }),
    bad(start, end) {
      // What is unsound at the end of a window may be a record that goes on behind it.
      if (end < bytes.length || toEnd) damaged(from + start, from + end);
    },
  });
  if (bytes.length < wanted) damaged(from + bytes.length, extent.end);
  return { records, next: toEnd ? extent.end : from + goodEnd };
}
