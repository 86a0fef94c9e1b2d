/** SLIP (RFC 1055). */
import { commonOptions, type FramerDefaults } from '../frame_shape.js';
import type { FramerSpec } from '../framer.js';
import type { Options } from '../options.js';
import { StreamSpec } from '../stream_framer.js';
import { Terminated } from '../terminated.js';

const END = 0xc0;
const ESC = 0xdb;
const ESC_END = 0xdc;
const ESC_ESC = 0xdd;

/** `slip{}`: payloads, decoded; ENDs in a row are passed over, a packet with a bad escape is dropped whole. */
export function slip(options: Options, defaults: FramerDefaults): FramerSpec {
  const common = commonOptions(options, defaults, 2);
  options.done();
  return new StreamSpec(
    'slip',
    [new Terminated(common, [Uint8Array.of(END)], false, unwrap)],
    common.partial,
  );
}

function unwrap(wire: Uint8Array): Uint8Array | undefined {
  const size = wire.length - 1;
  let read = wire.indexOf(ESC);
  if (read < 0) return wire.subarray(0, size);
  const payload = new Uint8Array(wire.subarray(0, size));
  let written = read;
  while (read < size) {
    let byte = wire[read++]!;
    if (byte === ESC) {
      const code = wire[read++];
      if (code === ESC_END) byte = END;
      else if (code !== ESC_ESC) return undefined;
    }
    payload[written++] = byte;
  }
  return payload.subarray(0, written);
}
