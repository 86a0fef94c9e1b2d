/** JSON (RFC 8259) in UTF-8. */
import { isUtf8 } from 'node:buffer';
import { MoonwireError, messageOf } from '../errors.js';
import type { Codec } from './codec.js';
import { MAX_DEPTH, plain } from './plain.js';

/**
 * Bytes are written as text where they are UTF-8, otherwise as base64 text; integers beyond 2^53 as decimal strings;
 * not-a-number and the infinities as null; a Map as an object. Numbers beyond 2^53 lose digits when they are read,
 * as JSON's usual readers do. Nesting is limited to 64.
 */
export const json: Codec = {
  name: 'json',

  encode(value) {
    const copy = plain(value, bytesAsText, String);
    const text = JSON.stringify(copy, (_, item) => (item instanceof Map ? Object.fromEntries(item) : item));
    if (text === undefined) throw new MoonwireError('invalid_argument', 'nothing to encode');
    return Buffer.from(text, 'utf8');
  },

  decode(bytes) {
    if (!isUtf8(bytes)) throw new MoonwireError('decode_error', 'JSON is not UTF-8');
    checkDepth(bytes);
    try {
      return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8'));
    } catch (error) {
      throw new MoonwireError('decode_error', messageOf(error), undefined, { cause: error });
    }
  },
};

function bytesAsText(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString(
    isUtf8(bytes) ? 'utf8' : 'base64',
  );
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

function checkDepth(bytes: Uint8Array): void {
  let depth = 0;
  for (let i = 0; i < bytes.length; i++) {
    switch (bytes[i]) {
      case QUOTE:
        for (i++; i < bytes.length && bytes[i] !== QUOTE; i++) if (bytes[i] === BACKSLASH) i++;
        break;
      case 0x5b: // [
      case 0x7b: // {
        if (++depth > MAX_DEPTH)
          throw new MoonwireError('decode_error', `JSON nested deeper than ${MAX_DEPTH}`);
        break;
      case 0x5d: // ]
      case 0x7d: // }
        depth--;
        break;
      default:
    }
  }
}
