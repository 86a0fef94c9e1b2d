/**
 * How reports stand in a journal: batches of them, and which were settled since. README.md has the byte tables.
 * Headers are read without decoding the reports, since opening looks at all of them.
 */

import { cborCodec } from '../codecs/cbor.js';
import type { Ranges, ReportRecord } from './reported.js';

const CBOR = cborCodec();
const BATCH = 1;
const SETTLED = 2;
/** Kind (1), epoch (6), number of ranges (2). */
const HEADER_BYTES = 9;
/** First (6), last (6). */
const RANGE_BYTES = 12;
/** Most ranges of a record: within a journal's longest. */
const MAX_RANGES = 4096;

/** The header of a batch. */
export interface BatchHeader {
  readonly kind: 'batch';
  readonly epoch: number;
  /** Sequences of the reports, rising. */
  readonly ranges: Ranges;
  /** Unix seconds when it was written; 0 when that was not known. */
  readonly at: number;
  readonly boot: string;
  /** Where the reports begin. */
  readonly body: number;
}

/** Sequences that were acknowledged or dropped. */
export interface SettledRecord {
  readonly kind: 'settled';
  readonly epoch: number;
  readonly ranges: Ranges;
}

/** The payload of a batch. `records` rise in sequence. */
export function encodeBatch(
  epoch: number,
  boot: string,
  at: number,
  records: readonly ReportRecord[],
): Buffer {
  const head = encodeHead(BATCH, epoch, rangesOf(records));
  const name = Buffer.from(boot, 'latin1').subarray(0, 255);
  const middle = Buffer.alloc(9);
  middle.writeDoubleBE(at, 0);
  middle.writeUInt8(name.length, 8);
  return Buffer.concat([head, middle, name, CBOR.encode(records)]);
}

/** The payload that notes what is settled: the newest 4,096 ranges, the others are forgotten. */
export function encodeSettled(epoch: number, ranges: Ranges): Buffer {
  return encodeHead(SETTLED, epoch, ranges.slice(-MAX_RANGES));
}

/** What a payload is, without its reports. Throws when it is neither. */
export function readHeader(payload: Buffer): BatchHeader | SettledRecord {
  const kind = payload.readUInt8(0);
  const epoch = payload.readUIntBE(1, 6);
  const count = payload.readUInt16BE(7);
  const ranges: [number, number][] = [];
  let at = HEADER_BYTES;
  for (let i = 0; i < count; i++, at += RANGE_BYTES) {
    ranges.push([payload.readUIntBE(at, 6), payload.readUIntBE(at + 6, 6)]);
  }
  if (kind === SETTLED) return { kind: 'settled', epoch, ranges };
  if (kind !== BATCH) throw new Error(`kind ${kind} is not known`);
  const bootAt = at + 9;
  const body = bootAt + payload.readUInt8(at + 8);
  const boot = payload.toString('latin1', bootAt, body);
  return { kind: 'batch', epoch, ranges, at: payload.readDoubleBE(at), boot, body };
}

/** The reports of a batch. Throws when they do not decode. */
export function readReports(payload: Buffer, header: BatchHeader): ReportRecord[] {
  return CBOR.decode(payload.subarray(header.body)) as ReportRecord[];
}

function encodeHead(kind: number, epoch: number, ranges: Ranges): Buffer {
  const head = Buffer.alloc(HEADER_BYTES + ranges.length * RANGE_BYTES);
  head.writeUInt8(kind, 0);
  head.writeUIntBE(epoch, 1, 6);
  head.writeUInt16BE(ranges.length, 7);
  ranges.forEach(([first, last], i) => {
    head.writeUIntBE(first, HEADER_BYTES + i * RANGE_BYTES, 6);
    head.writeUIntBE(last, HEADER_BYTES + i * RANGE_BYTES + 6, 6);
  });
  return head;
}

function rangesOf(records: readonly ReportRecord[]): Ranges {
  const ranges: [number, number][] = [];
  for (const [seq] of records) {
    const last = ranges.at(-1);
    if (last && seq === last[1] + 1) last[1] = seq;
    else ranges.push([seq, seq]);
  }
  return ranges;
}
