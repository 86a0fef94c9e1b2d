/** COBS, Consistent Overhead Byte Stuffing (Cheshire and Baker, 1999), and its reduced form COBS/R. */
import { commonOptions, type FramerDefaults } from '../frame_shape.js';
import type { FramerSpec } from '../framer.js';
import type { Options } from '../options.js';
import { StreamSpec } from '../stream_framer.js';
import { Terminated } from '../terminated.js';

/** `cobs{reduced = false}`: payloads, decoded; packets end with a zero byte, zeros in a row are passed over. */
export function cobs(options: Options, defaults: FramerDefaults): FramerSpec {
  const reduced = options.boolean('reduced', false);
  const common = commonOptions(options, defaults, 2);
  options.done();
  const unwrap = (wire: Uint8Array) => decode(wire, reduced);
  return new StreamSpec('cobs', [new Terminated(common, [Uint8Array.of(0)], false, unwrap)], common.partial);
}

/** `wire` ends with its zero byte and has no other. */
function decode(wire: Uint8Array, reduced: boolean): Uint8Array | undefined {
  const size = wire.length - 1;
  const payload = new Uint8Array(size);
  let written = 0;
  let read = 0;
  while (read < size) {
    const code = wire[read++]!;
    const end = read + code - 1;
    if (end > size) {
      if (!reduced) return undefined;
      // COBS/R: a code past the end is itself the last byte.
      payload.set(wire.subarray(read, size), written);
      written += size - read;
      payload[written++] = code;
      break;
    }
    while (read < end) payload[written++] = wire[read++]!;
    // A full block stands for 254 bytes without a zero; the last block's zero is the packet's end.
    if (code !== 0xff && read < size) payload[written++] = 0;
  }
  return payload.subarray(0, written);
}
