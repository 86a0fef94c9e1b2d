/** The `buf` of `protocol_input`: a view of the received, unconsumed bytes, and its Lua methods. */

import type { ChunkQueue } from '../bytes/chunks.js';
import { type ApiFunction, Failure, optional, value } from '../script/api.js';

/** The kind of these objects in Lua. */
export const BUFFER_KIND = 'buffer';

/** A read position over bytes that stay where they are. Valid during the call it was made for. */
export class ReceiveBuffer {
  position = 0;

  constructor(readonly held: ChunkQueue) {}
}

/** Lua's methods of the buffer. */
export const bufferMethods: ApiFunction<ReceiveBuffer>[] = [
  {
    name: 'buffer:tostring',
    doc: 'All bytes that wait, as a string; the read position does not matter.',
    params: [],
    returns: [value('bytes', 'bytes')],
    example: 'function protocol_input(buf) return #buf:tostring() end',
    run: ({ held }) => held.whole().slice(),
  },
  {
    name: 'buffer:read',
    doc: 'Reads n bytes from the read position on. Returns nil and an error when fewer are there.',
    params: [value('n', 'integer', '0 or more')],
    returns: [value('bytes', 'bytes')],
    example: 'local head, err = buf:read(2)',
    run: (buffer, n: number) => {
      const { held, position } = buffer;
      if (n < 0 || position + n > held.length) {
        return new Failure(`${n} bytes asked for, ${held.length - position} are there`);
      }
      buffer.position += n;
      return held.peek(position, position + n).slice();
    },
  },
  {
    name: 'buffer:position',
    doc: 'Bytes read so far; what protocol_input returns when a frame ends here.',
    params: [],
    returns: [value('n', 'integer')],
    example: 'return buf:position()',
    run: (buffer) => buffer.position,
  },
  {
    name: 'buffer:length',
    doc: 'How many received bytes wait to be consumed.',
    params: [],
    returns: [value('n', 'integer')],
    example: 'if buf:length() < 4 then return 0 end',
    run: ({ held }) => held.length,
  },
  {
    name: 'buffer:byte',
    doc: 'The byte at a position (from 1; negative from the end), 0 to 255; nil when there is none.',
    params: [value('i', 'integer')],
    returns: [value('byte', 'integer')],
    example: 'if buf:byte(1) ~= 0x78 then return -1 end',
    run: ({ held }, i: number) => {
      const at = i < 0 ? held.length + i : i - 1;
      return at >= 0 && at < held.length ? held.at(at) : undefined;
    },
  },
  {
    name: 'buffer:find',
    doc: 'Where bytes first occur from a position on (default 1), as a plain search; nil when they do not.',
    params: [value('bytes', 'bytes'), optional('from', 'integer', 'negative from the end')],
    returns: [value('position', 'integer')],
    example: 'local newline = buf:find("\\n")\nreturn newline or 0',
    run: ({ held }, pattern: Uint8Array, from = 1) => {
      const start = Math.max(0, from < 0 ? held.length + from : from - 1);
      const at = held.indexOf(pattern, start);
      return at < 0 ? undefined : at + 1;
    },
  },
];
