/** Peers that take nothing of what waits for them. */

import type { Socket } from 'node:net';

/**
 * Whether a peer has taken nothing for `stallMs` although something waits for it; to be asked again and again. A
 * socket's own timeout does not tell, since each write begins it anew.
 */
export function stallWatch(socket: Socket, stallMs: number): () => boolean {
  let taken = 0;
  let since = performance.now();
  return () => {
    const now = performance.now();
    // What waits counts as written already.
    const takenNow = socket.bytesWritten - socket.writableLength;
    if (takenNow > taken || socket.writableLength === 0) since = now;
    taken = takenNow;
    return now - since > stallMs;
  };
}
