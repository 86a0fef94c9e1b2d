/** Frames that end with a terminator: lines of text, NMEA 0183, most ASCII protocols. */
import { commonOptions, type FramerDefaults } from '../frame_shape.js';
import type { FramerSpec } from '../framer.js';
import type { Options } from '../options.js';
import { StreamSpec } from '../stream_framer.js';
import { Terminated } from '../terminated.js';

/**
 * `delimiter{ends = "\r\n", keep = false, rest = false}`: `ends` is left out of the frame unless `keep` is true. An
 * empty line is no frame, unless `keep` is true. A line longer than `max` is dropped up to its end. With `rest`, what
 * has waited `partial` for its end is a frame as it is, for devices that leave out their last terminator; the decoder
 * must be able to tell a whole one.
 */
export function delimiter(options: Options, defaults: FramerDefaults): FramerSpec {
  const ends = options.bytes('ends', Buffer.from('\r\n'));
  const keep = options.boolean('keep', false);
  const rest = options.boolean('rest', false);
  const common = commonOptions(options, defaults, ends.length + 1);
  options.done();
  const unwrap = (wire: Uint8Array) =>
    ends.every((byte, i) => wire[wire.length - ends.length + i] === byte)
      ? wire.subarray(0, wire.length - ends.length)
      : wire;
  const shape = new Terminated(common, ends, keep, keep ? undefined : unwrap, rest);
  return new StreamSpec('delimiter', [shape], common.partial);
}
