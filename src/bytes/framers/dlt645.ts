/** Frames of Chinese electricity meters: DL/T 645-2007, 5.2, and DL/T 645-1997, which are alike on the wire. */
import type { ChunkQueue } from '../chunks.js';
import { frameCheck } from '../frame_check.js';
import { commonOptions, type FramerDefaults, type Measure, MORE } from '../frame_shape.js';
import type { FramerSpec } from '../framer.js';
import { Options } from '../options.js';
import { StreamSpec } from '../stream_framer.js';

const PREAMBLE = 0xfe;
const START = 0x68;
const STOP = 0x16;
/** Offsets: 68, six bytes of address, 68, control, length, data, checksum, 16. */
const SECOND_START = 7;
const LENGTH = 9;
const AROUND_LENGTH = 12;
const LONGEST = 255 + AROUND_LENGTH;

/**
 * `dlt645{}`: frames from the first 68 to the 16; both starts, checksum and stop are checked. The bytes fe that wake
 * a receiver before a frame belong to the framing and are passed over.
 */
export function dlt645(options: Options, defaults: FramerDefaults): FramerSpec {
  const starts = [Uint8Array.of(START), Uint8Array.of(PREAMBLE)];
  const check = frameCheck(new Options(options.place, { name: 'sum8', at: -2 }));
  const limits = { max: Math.min(defaults.max ?? LONGEST, LONGEST) };
  const common = commonOptions(options, limits, AROUND_LENGTH, { starts, check });
  options.done();

  function measure(queue: ChunkQueue, from: number, state: Measure): number {
    const held = queue.length - from;
    if (queue.at(from) === PREAMBLE) return preamble(queue, from, state);
    if (held > SECOND_START && queue.at(from + SECOND_START) !== START) return state.reject('malformed');
    if (held <= LENGTH) return MORE;
    const length = queue.at(from + LENGTH) + AROUND_LENGTH;
    if (length > common.max) return state.reject('oversize');
    if (held < length) return MORE;
    return queue.at(from + length - 1) === STOP ? length : state.reject('malformed');
  }

  return new StreamSpec('dlt645', [{ ...common, terminated: false, measure }], common.partial);
}

/** Bytes fe that something else follows than a frame are noise. */
function preamble(queue: ChunkQueue, from: number, state: Measure): number {
  let at = from + 1;
  while (at < queue.length && queue.at(at) === PREAMBLE) at++;
  const count = at - from;
  return at === queue.length || queue.at(at) === START ? state.fill(count) : state.reject('noise', count);
}
