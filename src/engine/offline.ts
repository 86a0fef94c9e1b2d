/** Drives a protocol without a connection: for `moonwire decode`, tests and replays. */

import type { Framer } from '../bytes/framer.js';
import { messageOf } from '../errors.js';
import { Failure } from '../script/api.js';
import type { LuaValue } from '../script/executor.js';
import type { Protocol, ProtocolPeer } from './protocol.js';

/** What one feed of bytes gave. */
export interface Fed {
  /** The messages, as plain JavaScript. */
  messages: unknown[];
  /** Bytes that belonged to no frame. */
  discarded: number;
  /** The first error: a frame that does not decode, or a script that failed. */
  error: string | null;
}

/** One imaginary peer of a protocol. */
export class OfflinePeer implements ProtocolPeer {
  session: LuaValue;
  private readonly framer: Framer | undefined;
  private fed: Fed = { messages: [], discarded: 0, error: null };

  constructor(
    private readonly protocol: Protocol,
    max: number,
  ) {
    this.framer = protocol.framed
      ? protocol.createFramer(this, max, (bytes) => {
          this.fed.discarded += bytes.length;
        })
      : undefined;
  }

  conn(): LuaValue {
    return undefined;
  }

  /** Feeds bytes. `last`: no more will come, so an incomplete frame is given up and what is behind it is used. */
  feed(bytes: Uint8Array, last = false): Fed {
    this.fed = { messages: [], discarded: 0, error: null };
    if (!this.framer) {
      this.take(bytes);
      return this.fed;
    }
    try {
      this.framer.push(bytes);
      this.drain(this.framer);
      while (last && this.framer.pending > 0) {
        this.framer.expire();
        this.drain(this.framer);
      }
    } catch (error) {
      this.fail(messageOf(error));
      this.fed.discarded += this.framer.clear();
    }
    return this.fed;
  }

  private drain(framer: Framer): void {
    for (let frame = framer.next(); frame; frame = framer.next()) this.take(frame);
  }

  private take(frame: Uint8Array): void {
    try {
      const result = this.protocol.decode(frame, this);
      if (result instanceof Failure) this.fail(result.message);
      else for (const message of result?.messages ?? []) this.fed.messages.push(this.protocol.toJs(message));
    } catch (error) {
      this.fail(messageOf(error));
    }
  }

  private fail(message: string): void {
    this.fed.error ??= message;
  }
}
