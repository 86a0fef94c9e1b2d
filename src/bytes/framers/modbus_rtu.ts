/**
 * Modbus RTU frames by length, not by silence, so that they also survive converters and TCP. Lengths follow from
 * the function codes of the Modbus Application Protocol V1.1b3, 6; the CRC is that of Modbus over Serial Line
 * V1.02, 2.5.1.2.
 */
import type { ChunkQueue } from '../chunks.js';
import { frameCheck } from '../frame_check.js';
import { commonOptions, type FramerDefaults, type Measure, MORE } from '../frame_shape.js';
import type { FramerSpec } from '../framer.js';
import { Options } from '../options.js';
import { StreamSpec } from '../stream_framer.js';

/** Largest frame (Modbus over Serial Line V1.02, 2.5.1): unit, 253 bytes of PDU, CRC. */
const RTU_MAX = 256;
/** Shortest frame: unit, function, CRC. */
const SHORTEST = 4;
const CRC_NAME = 'CRC-16/MODBUS';
/** Set in the function code of an exception response. */
const EXCEPTION = 0x80;
const EXCEPTION_LENGTH = 5;
/** Encapsulated interface transport, and its only standard content with a known length. */
const ENCAPSULATED = 0x2b;
const DEVICE_IDENTIFICATION = 0x0e;

/** A frame's length: fixed, or `base` plus the count in the byte at index `count` (two bytes when `wide`). */
type Length = number | { readonly base: number; readonly count: number; readonly wide?: true };

const BYTE_COUNT: Length = { base: 5, count: 2 };

/** Whole frames (unit to CRC) by function code, as clients send them. */
const REQUESTS: Readonly<Record<number, Length>> = {
  1: 8, // read coils
  2: 8, // read discrete inputs
  3: 8, // read holding registers
  4: 8, // read input registers
  5: 8, // write single coil
  6: 8, // write single register
  7: 4, // read exception status
  8: 8, // diagnostics
  11: 4, // get comm event counter
  12: 4, // get comm event log
  15: { base: 9, count: 6 }, // write multiple coils
  16: { base: 9, count: 6 }, // write multiple registers
  17: 4, // report server id
  20: BYTE_COUNT, // read file record
  21: BYTE_COUNT, // write file record
  22: 10, // mask write register
  23: { base: 13, count: 10 }, // read/write multiple registers
  24: 6, // read FIFO queue
};

/** Whole frames by function code, as servers send them. */
const RESPONSES: Readonly<Record<number, Length>> = {
  1: BYTE_COUNT,
  2: BYTE_COUNT,
  3: BYTE_COUNT,
  4: BYTE_COUNT,
  5: 8,
  6: 8,
  7: 5,
  8: 8,
  11: 8,
  12: BYTE_COUNT,
  15: 8,
  16: 8,
  17: BYTE_COUNT,
  20: BYTE_COUNT,
  21: BYTE_COUNT,
  22: 10,
  23: BYTE_COUNT,
  24: { base: 6, count: 2, wide: true },
};

type LengthOf = (queue: ChunkQueue, from: number, code: number) => number | undefined;

/** What may arrive, by the side we are on. */
const LENGTHS: Readonly<Record<'client' | 'server' | 'both', readonly LengthOf[]>> = {
  client: [responseLength],
  server: [requestLength],
  both: [responseLength, requestLength],
};

/**
 * `modbus_rtu{side = "client"|"server"|"both"}`: `side` is the role we play. As the client (master) we receive
 * responses, as the server (slave) requests; "both" listens to a line on which others speak, where the CRC tells
 * which of the two a frame is. Frames come whole, from unit to CRC, and the CRC is always checked. A function
 * without a standard length ends with silence, that is when `partial` is over.
 */
export function modbusRtu(options: Options, defaults: FramerDefaults): FramerSpec {
  const lengthsOf = LENGTHS[options.oneOf('side', ['client', 'server', 'both'])];
  const check = frameCheck(new Options(options.place, { name: CRC_NAME, endian: 'little' }));
  const common = commonOptions(options, { max: Math.min(defaults.max ?? RTU_MAX, RTU_MAX) }, 8, { check });
  options.done();

  /** The length of the frame at `from`; undefined where no standard tells. */
  function measure(queue: ChunkQueue, from: number, state: Measure): number | undefined {
    const held = queue.length - from;
    if (held < SHORTEST) return MORE;
    const lengths = lengthsOf.map((lengthOf) => lengthOf(queue, from, queue.at(from + 1)));
    const usable = lengths.filter((length) => length !== undefined && length >= 0 && length <= common.max);
    const whole = usable.filter((length) => length! > 0 && held >= length!);
    if (usable.length > 1) {
      // A response and a request may begin alike: the CRC tells which it is, once enough is there.
      const right = whole.find((length) => check(queue.peek(from, from + length!)));
      if (right !== undefined || whole.length < usable.length) return right ?? MORE;
    }
    if (usable.length > 0) return whole[0] ?? MORE;
    if (lengths.includes(undefined)) return undefined;
    return state.reject(lengths.some((length) => length! > common.max) ? 'oversize' : 'malformed');
  }

  /** What may be noise must not hold back a good frame behind it, nor be a frame by a lucky CRC on its way. */
  function measureUnknown(queue: ChunkQueue, from: number, state: Measure): number {
    if (queue.length - from >= RTU_MAX) return state.reject('noise');
    const bytes = queue.peek(0, queue.length);
    for (let at = from + 1; at <= queue.length - SHORTEST; at++) {
      const length = measure(queue, at, state);
      if (length !== undefined && length > 0 && check(bytes.subarray(at, at + length))) {
        return state.reject('noise', at - from);
      }
    }
    return state.ended && check(bytes.subarray(from)) ? bytes.length - from : MORE;
  }

  const shape = {
    ...common,
    terminated: false,
    measure: (queue: ChunkQueue, from: number, state: Measure) =>
      measure(queue, from, state) ?? measureUnknown(queue, from, state),
  };
  return new StreamSpec('modbus_rtu', [shape], common.partial);
}

/** A length, MORE, -1 for a code that cannot be, undefined where no standard tells. */
function requestLength(queue: ChunkQueue, from: number, code: number): number | undefined {
  if (code === 0 || code >= EXCEPTION) return -1;
  if (code === ENCAPSULATED) return queue.at(from + 2) === DEVICE_IDENTIFICATION ? 7 : undefined;
  return tableLength(REQUESTS, queue, from, code);
}

function responseLength(queue: ChunkQueue, from: number, code: number): number | undefined {
  if (code === 0 || code === EXCEPTION) return -1;
  if (code > EXCEPTION) return EXCEPTION_LENGTH;
  if (code === ENCAPSULATED) {
    return queue.at(from + 2) === DEVICE_IDENTIFICATION ? identificationLength(queue, from) : undefined;
  }
  return tableLength(RESPONSES, queue, from, code);
}

function tableLength(
  table: typeof REQUESTS,
  queue: ChunkQueue,
  from: number,
  code: number,
): number | undefined {
  const length = table[code];
  if (typeof length !== 'object') return length;
  const at = from + length.count;
  if (at >= queue.length || (length.wide && at + 1 >= queue.length)) return MORE;
  return length.base + (length.wide ? queue.at(at) * 256 + queue.at(at + 1) : queue.at(at));
}

/** Read device identification (6.21): unit, 2b, 0e, four bytes, the number of objects, then id, length, value each. */
function identificationLength(queue: ChunkQueue, from: number): number {
  let at = from + 7;
  if (at >= queue.length) return MORE;
  const objects = queue.at(at++);
  for (let i = 0; i < objects; i++) {
    if (at + 1 >= queue.length) return MORE;
    at += 2 + queue.at(at + 1);
    if (at - from > RTU_MAX) break;
  }
  return at + 2 - from;
}
