/** Why a session ended, in words for the log and the API. */

import type { SessionEnd } from '../mux/index.js';

const MAX_TEXT = 256;

/** What the peer said when it ended the session with an error, else what was found here. */
export function describeEnd({ error, remote, debug }: SessionEnd): string {
  if (!remote || remote.code === 'none') return error.message;
  return readableText(debug) || remote.message;
}

/** Bytes of a peer as text: printable, and not long. */
export function readableText(bytes: Uint8Array): string {
  return Buffer.from(bytes)
    .toString('utf8', 0, MAX_TEXT)
    .replace(/[^\x20-\x7e]/g, '?');
}
