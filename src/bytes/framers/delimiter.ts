/** Frames that end with a terminator: lines of text, NMEA 0183, most ASCII protocols. */
import { commonOptions, type FramerDefaults } from '../frame_shape.js';
import type { FramerSpec } from '../framer.js';
import type { Options } from '../options.js';
import { StreamSpec } from '../stream_framer.js';
import { Terminated } from '../terminated.js';

/**
 * `delimiter{ends = "\r\n", keep = false}`: `ends` is left out of the frame unless `keep` is true. An empty line is
 * no frame, unless `keep` is true. A line longer than `max` is dropped up to its end.
 */
export function delimiter(options: Options, defaults: FramerDefaults): FramerSpec {
  const ends = options.bytes('ends', Buffer.from('\r\n'));
  const keep = options.boolean('keep', false);
  const common = commonOptions(options, defaults, ends.length + 1);
  options.done();
  const unwrap = keep ? undefined : (wire: Uint8Array) => wire.subarray(0, wire.length - ends.length);
  return new StreamSpec('delimiter', [new Terminated(common, ends, keep, unwrap)], common.partial);
}
