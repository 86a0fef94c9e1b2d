/** Drives a protocol without a connection: for `moonwire decode`, tests and replays. */

import type { DiscardReason, Framer } from '../bytes/framer.js';
import { messageOf } from '../errors.js';
import { Failure } from '../script/api.js';
import type { LuaValue } from '../script/executor.js';
import type { Decoded, Protocol, ProtocolPeer } from './protocol.js';

/** What one feed of bytes gave. */
export interface Fed {
  /** The messages, as plain JavaScript. */
  messages: unknown[];
  /** Bytes that belonged to no frame. */
  discarded: number;
  /** The first error: a frame that does not decode, or a script that failed. */
  error: string | null;
}

/** Told of everything in the order it happens. Bytes are only valid during the call. */
export interface OfflineObserver {
  /** A whole frame, before it is decoded. */
  frame?(bytes: Uint8Array): void;
  message?(message: unknown): void;
  /** The acknowledgement of the frame before; the protocol is asked for it only when somebody listens. */
  reply?(bytes: Uint8Array): void;
  discard?(bytes: Uint8Array, reason: DiscardReason): void;
  error?(message: string): void;
}

/** One imaginary peer of a protocol. */
export class OfflinePeer implements ProtocolPeer {
  session: LuaValue;
  private readonly framer: Framer | undefined;
  private fed: Fed = { messages: [], discarded: 0, error: null };

  constructor(
    private readonly protocol: Protocol,
    max: number,
    private readonly observer: OfflineObserver = {},
  ) {
    this.framer = protocol.framed
      ? protocol.createFramer(this, max, (bytes, reason) => {
          this.fed.discarded += bytes.length;
          observer.discard?.(bytes, reason);
        })
      : undefined;
  }

  conn(): LuaValue {
    return undefined;
  }

  /** Feeds bytes. `last`: no more will come, so an incomplete frame is given up and what is behind it is used. */
  feed(bytes: Uint8Array, last = false): Fed {
    this.fed = { messages: [], discarded: 0, error: null };
    if (!this.framer) return this.datagram(bytes);
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

  /** Takes a datagram, which is a frame as it is. */
  datagram(bytes: Uint8Array): Fed {
    this.fed = { messages: [], discarded: 0, error: null };
    this.take(bytes);
    return this.fed;
  }

  private drain(framer: Framer): void {
    for (let frame = framer.next(); frame; frame = framer.next()) this.take(frame);
  }

  private take(frame: Uint8Array): void {
    this.observer.frame?.(frame);
    try {
      const result = this.protocol.decode(frame, this);
      if (result instanceof Failure) this.fail(result.message);
      else if (result) this.hand(result);
    } catch (error) {
      this.fail(messageOf(error));
    }
  }

  private hand({ messages, decoded }: Decoded): void {
    for (const pushable of messages) {
      const message = this.protocol.toJs(pushable);
      this.fed.messages.push(message);
      this.observer.message?.(message);
    }
    if (!this.observer.reply) return;
    const reply = this.protocol.reply(decoded, this);
    if (reply) this.observer.reply(reply);
  }

  private fail(message: string): void {
    this.observer.error?.(message);
    this.fed.error ??= message;
  }
}
