/** `mix.frame_encode.*`: payloads as the framings of the same name in `mix.frame` expect them on the wire. */

import { Options } from '../../bytes/options.js';
import { WRAPS } from '../../bytes/wrap.js';
import { type ApiFunction, optional, value } from '../api.js';
import { checkSize } from '../stdlib/strings.js';
import { orRaise } from './failure.js';

const DOCS: Record<string, string> = {
  slip: 'A payload as a SLIP packet (RFC 1055), an END before and behind it.',
  cobs: 'A payload as a COBS packet, which ends with 0. `reduced` makes it COBS/R.',
  hdlc: 'A payload between two flags with octet stuffing (RFC 1662); `crc` names the check that is appended.',
};

export const frameEncodeFunctions: ApiFunction<unknown>[] = [...WRAPS].map(([name, wrap]) => ({
  name: `mix.frame_encode.${name}`,
  doc: `${DOCS[name]} Options are those of \`mix.frame.${name}\`. Raises when one is wrong.`,
  params: [value('payload', 'bytes'), optional('options', 'options')],
  returns: [value('packet', 'bytes')],
  example: `print(mix.hex(mix.frame_encode.${name}("a\\xc0\\x7e\\0b")))`,
  run: (_, payload: Uint8Array, options?: unknown) => {
    checkSize(2 * payload.length + 16);
    return orRaise(() => wrap(payload, new Options(`mix.frame_encode.${name}`, options)));
  },
}));
