/** Pre-shared keys (RFC 4279) of devices that have no certificates, as a file of lines "identity:hex key". */

import { MoonwireError } from '../errors.js';

/** Keys by identity. */
export type PskTable = ReadonlyMap<string, Buffer>;

/** Bytes of an identity, as OpenSSL takes them, and of a key (RFC 4279, 5.3: at least 64 must be possible). */
const MAX_IDENTITY = 128;
const MIN_KEY = 16;
const MAX_KEY = 64;

/**
 * Reads a file of keys: UTF-8, a line each, `#` begins a comment line; the last colon ends the identity.
 * Throws MoonwireError `invalid_argument` that names file and line, and never repeats a key.
 */
export function parsePskTable(bytes: Uint8Array, file: string): PskTable {
  const table = new Map<string, Buffer>();
  const lines = new TextDecoder().decode(bytes).split('\n');
  for (const [index, raw] of lines.entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const wrong = (what: string): MoonwireError =>
      new MoonwireError('invalid_argument', `${file}:${index + 1} ${what}`, `${file}:${index + 1}`);
    const colon = line.lastIndexOf(':');
    const identity = line.slice(0, colon);
    const hex = line.slice(colon + 1);
    const identityBytes = Buffer.byteLength(identity);
    if (colon < 1 || identityBytes > MAX_IDENTITY) {
      throw wrong(`must be "identity:hex key", the identity 1 to ${MAX_IDENTITY} bytes`);
    }
    const bounds = hex.length >= 2 * MIN_KEY && hex.length <= 2 * MAX_KEY && hex.length % 2 === 0;
    if (!bounds || !/^[0-9a-fA-F]+$/.test(hex)) {
      throw wrong(`must have a key of ${MIN_KEY} to ${MAX_KEY} bytes in hex after the colon`);
    }
    if (table.has(identity)) throw wrong(`repeats the identity ${identity}`);
    table.set(identity, Buffer.from(hex, 'hex'));
  }
  if (table.size === 0) throw new MoonwireError('invalid_argument', `${file} holds no key`, file);
  return table;
}
