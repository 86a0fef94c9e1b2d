/** Messages of IEC 62056-21 (formerly IEC 61107), 6: direct local data exchange, modes A to E. */
import { xor } from '../checksum.js';
import type { ChunkQueue } from '../chunks.js';
import { commonOptions, type FramerDefaults, type Measure, MORE } from '../frame_shape.js';
import type { FramerSpec } from '../framer.js';
import type { Options } from '../options.js';
import { StreamSpec } from '../stream_framer.js';
import { CR, headerAt, LF, SLASH } from './telegram.js';

const NUL = 0x00;
const SOH = 0x01;
const STX = 0x02;
const ETX = 0x03;
const EOT = 0x04;
const ACK = 0x06;
const NAK = 0x15;
/** ACK, three characters, CR, LF: acknowledgement and option select. */
const OPTION_SELECT_LENGTH = 6;
/** Where the STX of a command stands, behind SOH and two characters. */
const DATA = 3;

/**
 * `iec62056_21{}`: blocks from SOH or STX to the block check character behind ETX or EOT, which is checked;
 * acknowledgement and option select; a lone ACK (silence tells) or NAK; everything else by lines. What comes by lines
 * has printable characters only; empty lines and the NUL characters that wake a meter are passed over.
 */
export function iec62056(options: Options, defaults: FramerDefaults): FramerSpec {
  const common = commonOptions(options, defaults, OPTION_SELECT_LENGTH, { starts: [], check: undefined });
  options.done();
  // The content of a block without its check must not be taken for lines: nothing is sought within a bad one.
  return new StreamSpec('iec62056_21', [{ ...common, terminated: true, measure }], common.partial);
}

function measure(queue: ChunkQueue, from: number, state: Measure): number {
  switch (queue.at(from)) {
    case NUL:
    case CR:
    case LF:
      return state.fill(1);
    case SOH:
    case STX:
      return measureBlock(queue, from, state);
    case ACK:
      return measureAcknowledgement(queue, from, state);
    case NAK:
      return 1;
    default:
      return measureLine(queue, from, state);
  }
}

/**
 * What `measure` returns when the header of another message stands at `at`, or may stand there as far as is held:
 * that gives up the message under way. Undefined when there is none.
 */
function interrupted(queue: ChunkQueue, from: number, at: number, state: Measure): number | undefined {
  const header = queue.at(at) === SLASH ? headerAt(queue, at) : false;
  if (header) return state.reject('malformed', at - from);
  if (header === false || state.ended) return undefined;
  state.scanned = at - from;
  return MORE;
}

/** Another block or header within a block gives up what came before it; a command has its STX behind two characters. */
function measureBlock(queue: ChunkQueue, from: number, state: Measure): number {
  for (let at = from + Math.max(1, state.scanned); at < queue.length; at++) {
    const byte = queue.at(at);
    if (byte === ETX || byte === EOT) {
      state.scanned = at - from;
      const length = at + 2 - from;
      if (at + 1 === queue.length) return MORE;
      const wire = queue.peek(from, from + length);
      if (xor(wire, 1, length - 1) === wire[length - 1]) return length;
      return state.reject('checksum', badLength(wire));
    }
    const isData = byte === STX && at === from + DATA && queue.at(from) === SOH;
    if ((byte === SOH || byte === STX) && !isData) return state.reject('malformed', at - from);
    const stop = interrupted(queue, from, at, state);
    if (stop !== undefined) return stop;
  }
  state.scanned = queue.length - from;
  return MORE;
}

/** How much of a block with a wrong check character goes: one cut short may have taken the begin of the next for it. */
function badLength(wire: Uint8Array): number {
  const last = wire[wire.length - 1];
  return last === SOH || last === STX || last === SLASH ? wire.length - 1 : wire.length;
}

function measureAcknowledgement(queue: ChunkQueue, from: number, state: Measure): number {
  const held = queue.length - from;
  for (let i = 1; i < OPTION_SELECT_LENGTH; i++) {
    if (i === held) return state.ended ? 1 : MORE;
    const byte = queue.at(from + i);
    const fits = i === 4 ? byte === CR : i === 5 ? byte === LF : byte >= 0x30 && byte <= 0x5a;
    if (!fits) return 1;
  }
  return OPTION_SELECT_LENGTH;
}

function measureLine(queue: ChunkQueue, from: number, state: Measure): number {
  for (let at = from + state.scanned; at < queue.length; at++) {
    const byte = queue.at(at);
    if (byte === LF) return at + 1 - from;
    if (byte !== CR && (byte < 0x20 || byte > 0x7e)) return state.reject('noise', Math.max(1, at - from));
    const stop = at > from ? interrupted(queue, from, at, state) : undefined;
    if (stop !== undefined) return stop;
  }
  state.scanned = queue.length - from;
  return state.ended ? state.scanned : MORE;
}
