/** Frames that end with a terminator: lines of text, NMEA 0183, most ASCII protocols. */
import { commonOptions, type FramerDefaults } from '../frame_shape.js';
import type { FramerSpec } from '../framer.js';
import { invalid, type Options } from '../options.js';
import { StreamSpec } from '../stream_framer.js';
import { Terminated } from '../terminated.js';

/**
 * `delimiter{ends = "\r\n", keep = false, rest = false, quote}`: `ends`, or the first of a list of them, is left out
 * of the frame unless `keep` is true. An empty line is no frame, unless `keep` is true. A line longer than `max` is
 * dropped up to its end. With `rest`, what has waited `partial` for its end is a frame as it is, for devices that
 * leave out their last terminator; the decoder must be able to tell a whole one. Between two of the byte `quote` a
 * terminator is none.
 */
export function delimiter(options: Options, defaults: FramerDefaults): FramerSpec {
  const given = options.bytesList('ends');
  const ends = given.length > 0 ? given : [Buffer.from('\r\n')];
  const keep = options.boolean('keep', false);
  const rest = options.boolean('rest', false);
  const quote = options.raw('quote') === undefined ? undefined : options.bytes('quote');
  if (quote && quote.length !== 1) throw invalid(options.place, 'quote must be one byte');
  const common = commonOptions(options, defaults, Math.max(...ends.map(({ length }) => length)) + 1);
  options.done();
  const ended = (wire: Uint8Array) =>
    ends.find((end) => end.every((byte, i) => wire[wire.length - end.length + i] === byte));
  const unwrap = (wire: Uint8Array) => wire.subarray(0, wire.length - (ended(wire)?.length ?? 0));
  const shape = new Terminated(common, ends, keep, keep ? undefined : unwrap, rest, quote?.[0]);
  return new StreamSpec('delimiter', [shape], common.partial);
}
