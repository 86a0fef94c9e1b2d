/** What waits for a client's handlers, each for its turn. */

import type { Program } from './program.js';
import type { Decoded } from './protocol.js';

/** A text message of a WebSocket; binary ones are bytes, as frames and datagrams are. */
export class TextMessage {
  constructor(readonly bytes: Uint8Array) {}

  get length(): number {
    return this.bytes.length;
  }
}

/** A message that was decoded already: on a bus nobody asked for it. */
export class Spontaneous {
  constructor(
    readonly decoded: Decoded,
    /** Whose values they are. */
    readonly program: Program,
  ) {}

  readonly length = 0;
}

/** A frame, a datagram, or a message. */
export type Received = Uint8Array | TextMessage | Spontaneous;
