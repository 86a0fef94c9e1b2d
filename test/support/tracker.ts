/** Trackers' vectors and what their messages must agree with. */

import type { Test } from 'tap';
import { unhex } from './framing.js';
import type { Message } from './protocol.js';
import { vectors } from './vectors.js';

const KNOT = 1.852;

/** A position as the reference decoder gave it. */
export interface Position {
  fixTime?: string;
  deviceTime?: string;
  /** No position came with the message: the reference then shows an older one. */
  outdated: boolean;
  valid: boolean;
  latitude: number;
  longitude: number;
  altitude: number;
  speed_knots: number;
  course: number;
  attributes: Record<string, unknown>;
}

export interface Vector {
  name: string;
  type: string;
  /** The frame; empty for what is to be encoded. */
  bytes: Buffer;
  checksum?: { ok: boolean };
  unique_id?: string;
  positions: Position[];
  ids: (string | null)[];
  /** What the server answers; undefined where it carries the time of the run. */
  replies: (string | undefined)[];
  /** The first frame of a stream; null when there is none. */
  firstFrame?: Buffer | null;
}

interface Case extends Pick<Vector, 'name' | 'type' | 'checksum' | 'unique_id'> {
  hex?: string;
  ascii?: string;
  stream_hex?: string;
  expect: {
    stated?: { first_frame_hex?: string | null };
    reference?: {
      decoded?: Position | Position[] | null;
      ids?: (string | null)[];
      replies: { text?: string }[];
    };
  };
}

/** The cases of test/vectors/`name`.json. */
export function trackerVectors(name: string): Vector[] {
  return vectors<Case>(name).map(({ hex, ascii, stream_hex, expect, ...rest }) => {
    const { reference, stated } = expect;
    const first = stated?.first_frame_hex;
    return {
      ...rest,
      bytes: hex === undefined && ascii !== undefined ? Buffer.from(ascii) : unhex(hex ?? stream_hex ?? ''),
      positions: [reference?.decoded ?? []].flat(),
      ids: reference?.ids ?? [],
      replies: (reference?.replies ?? []).map(({ text }) => text),
      firstFrame: first === null ? null : first === undefined ? undefined : unhex(first),
    };
  });
}

/** Compares messages with the reference; `skip`: fields in which the reference is known to be wrong. */
export function comparePositions(
  t: Test,
  messages: Message[],
  { name, positions, ids }: Vector,
  skip: readonly string[] = [],
): void {
  const same = (field: string, message: Message, wanted: unknown) => {
    if (!skip.includes(field)) t.equal(message[field], wanted, `${name}: ${field}`);
  };
  const near = (field: string, message: Message, wanted: number, within: number) => {
    const actual = (message[field] ?? Number.NaN) as number;
    if (!skip.includes(field))
      t.ok(Math.abs(actual - wanted) <= within, `${name}: ${field} ${actual} is ${wanted}`);
  };
  for (const message of messages) same('device_id', message, ids[0] ?? message.device_id);
  if (positions.length > 0) t.equal(messages.length, positions.length, `${name}: messages`);
  positions.forEach((position, i) => {
    const message = messages[i]!;
    const time = position.fixTime ?? position.deviceTime;
    if (time) same('time', message, Date.parse(time) / 1000);
    if (position.outdated) {
      t.strictSame([message.latitude, message.longitude], [undefined, undefined], `${name}: no position`);
      return;
    }
    near('latitude', message, position.latitude, 1e-9);
    near('longitude', message, position.longitude, 1e-9);
    near('speed', message, position.speed_knots * KNOT, 1e-4);
    near('course', message, position.course, 1e-9);
    same('valid', message, position.valid);
  });
}

/** What is compared of replies: those with the time of the run count only. */
export function compareReplies(t: Test, replies: string[], { name, replies: wanted }: Vector): void {
  const texts = replies.map((hex) => unhex(hex).toString());
  t.equal(texts.length, wanted.length === 0 ? 0 : 1, `${name}: ${texts.join(' ')}`);
  if (!wanted.includes(undefined)) t.equal(texts.join(''), wanted.join(''), `${name}: reply`);
}
