/** `mix.frame.*`: framings declared in Lua and run natively. */

import { FRAMER_NAMES, framer } from '../../bytes/framers.js';
import { type ApiFunction, HostObject, value } from '../api.js';
import { orRaise } from './failure.js';

/** The kind of the objects that `mix.frame.*` returns. */
export const FRAME_KIND = 'frame';

/** What framings take from their server. */
export interface FrameHost {
  /** Default of `max`. */
  frameBytes: number;
}

/** What is special about each framing; common options are in every one. */
const DOCS: Record<string, [doc: string, example: string]> = {
  delimiter: [
    'Frames end with given bytes: `ends` (default "\\r\\n"; a list: whichever comes first), left out unless `keep` is ' +
      'true. Between two of the byte `quote` they end nothing. With `rest` true, what has waited `partial` for its end ' +
      'is a frame as it is.',
    'local f = mix.frame.delimiter{ ends = { "#", "\\n" }, quote = "\\"" }',
  ],
  length: [
    'A number in the frame says how long it is: `at` (position of its first byte), `size` (1 to 4 bytes), `endian` ' +
      '("big"), `mask` (its bits that count, all by default), `add`; the frame has value + add bytes. With `size` ' +
      '"decimal" it is up to 8 digits of text, and the frame has what stands up to their end + value + add bytes. With ' +
      '`rest` true, what has waited `partial` for the rest of its bytes is tried as a frame: give a check then.',
    'local f = mix.frame.length{ at = 5, size = 2, add = 6 }\n' +
      'local text = mix.frame.length{ start = "L", at = 2, size = "decimal", add = 1 } -- L5,hello',
  ],
  varint: [
    'From position `at` (default 1) on stands how many bytes follow, as a variable-length integer of up to four bytes ' +
      '(seven bits a byte, least significant first): MQTT with `at` 2, delimited Protobuf messages.',
    'local f = mix.frame.varint{ at = 2 }',
  ],
  fixed: [
    'Every frame has `size` bytes. `size` may be a list of up to 8 for devices that do not tell which they use: a frame ' +
      'then has the size at which what was received ends, or the first at which another `start` follows, or the smallest.',
    'local f = mix.frame.fixed{ start = "$", size = { 32, 45 } }',
  ],
  bracket: [
    'Frames stand between `open` and `close`; `escape` maps sequences back to what they stand for. The content comes ' +
      'without the brackets, unescaped.',
    'local f = mix.frame.bracket{ open = "\\x7e", close = "\\x7e", escape = { ["\\x7d\\x01"] = "\\x7d" } }',
  ],
  slip: ['SLIP (RFC 1055); the payload comes decoded.', 'local f = mix.frame.slip{}'],
  cobs: [
    'Consistent overhead byte stuffing, frames ending in 0; the payload comes decoded. `reduced` true is COBS/R.',
    'local f = mix.frame.cobs{}',
  ],
  hdlc: [
    'HDLC-like framing with octet stuffing (RFC 1662); `crc` names the check that is verified and removed, none by ' +
      'default.',
    'local f = mix.frame.hdlc{ crc = "CRC-16/IBM-SDLC" }',
  ],
  gap: ['A silence of `ms` milliseconds ends a frame.', 'local f = mix.frame.gap{ ms = 20 }'],
  modbus_rtu: [
    'Modbus RTU: the length follows from the function code, the CRC is checked. `side` is "client" on the side that ' +
      'polls and receives responses, "server" on the side that receives requests, "both" where one only listens.',
    'local f = mix.frame.modbus_rtu{ side = "client" }',
  ],
  mbus: [
    'M-Bus (EN 13757-2): single characters, short, control and long frames, with lengths, checksum and stop checked.',
    'local f = mix.frame.mbus{}',
  ],
  sml: [
    'SML transport, version 1: the content between its escape sequences, unescaped, with the CRC checked.',
    'local f = mix.frame.sml{}',
  ],
  dlms_hdlc: [
    'HDLC frames of DLMS meters (frame format type 3), stuffed or not, without flags and with the check sequence ' +
      'verified and removed; information fields (e6 e7 00 …) without HDLC around them end with silence.',
    'local f = mix.frame.dlms_hdlc{}',
  ],
  dlt645: [
    'DL/T 645 frames, from the first 68 to the 16, checksum verified; the fe bytes before them are passed over.',
    'local f = mix.frame.dlt645{}',
  ],
  dsmr_p1: [
    'Telegrams of the P1 port (DSMR, eMUCS), from "/" to the end of the line that begins with "!"; the CRC is verified ' +
      'where there is one.',
    'local f = mix.frame.dsmr_p1{}',
  ],
  iec62056_21: [
    'Messages of IEC 62056-21: blocks from SOH or STX with their check character verified, ACK and NAK, everything else ' +
      'by lines, which keep their end.',
    'local f = mix.frame.iec62056_21{}',
  ],
  any: [
    'Each frame is cut by the first of several framings whose `start` matches.',
    'local f = mix.frame.any{ mix.frame.fixed{ size = 4, start = "\\x01" }, mix.frame.delimiter{ ends = "\\n" } }',
  ],
};

const COMMON =
  " Common options: `max` (longest frame; default the server's frameBytes), `start` (bytes, or a list of them, that a " +
  'frame begins with), `check` (see mix.frame.length), `partial` (seconds an incomplete frame may wait). ' +
  'Raises when an option is wrong.';

/** `check`, which most framings take; said once. */
const CHECK =
  ' `check` is a table: `name` of a CRC of the catalogue or a checksum (lrc, xor, sum8, …), `from` and `to` what it ' +
  'covers (1, and the byte before it), `at` where it stands (the end), `endian` ("big"), `hex` (true: in hexadecimal ' +
  'digits), `mark` (bytes that must stand right before it). The name "bcd" checks that from..to are packed decimals.';

export const frameFunctions: ApiFunction<FrameHost>[] = FRAMER_NAMES.map((kind) => ({
  name: `mix.frame.${kind}`,
  doc: (DOCS[kind]?.[0] ?? '') + (kind === 'length' ? CHECK : '') + COMMON,
  params: [value('options', 'options')],
  returns: [value('frame', 'raw', 'the `frame` of a protocol module')],
  example: DOCS[kind]?.[1] ?? '',
  run: ({ frameBytes }, options: unknown) =>
    new HostObject(
      FRAME_KIND,
      orRaise(() => framer(kind, options, { max: frameBytes })),
    ),
}));
