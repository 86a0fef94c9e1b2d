import { isUtf8 } from 'node:buffer';
import type { MessageType } from './connection.js';

/** First byte of a whole message (RFC 6455, 5.2): FIN and the opcode. */
const TEXT = 0x81;
const BINARY = 0x82;

/**
 * Whether a message goes as text: when it is meant to and is UTF-8, since a peer must fail the connection over text
 * that is not (RFC 6455, 8.1). Without a type, UTF-8 is text.
 */
export function isText(bytes: Uint8Array, type: MessageType | undefined): boolean {
  return type !== 'binary' && isUtf8(bytes);
}

/** A message as one unmasked frame, as servers send it (RFC 6455, 5.1 and 5.2). */
export function frameOf(bytes: Uint8Array, text: boolean): Buffer {
  const { length } = bytes;
  const head = length < 126 ? 2 : length < 0x10000 ? 4 : 10;
  const frame = Buffer.allocUnsafe(head + length);
  frame[0] = text ? TEXT : BINARY;
  if (head === 2) {
    frame[1] = length;
  } else if (head === 4) {
    frame[1] = 126;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = 127;
    frame.writeUInt16BE(0, 2);
    frame.writeUIntBE(length, 4, 6);
  }
  frame.set(bytes, head);
  return frame;
}

/** Makes frames, and keeps the last: a message that is published goes to thousands of clients as one and the same. */
export class FrameMaker {
  private bytes: Uint8Array | undefined;
  private type: MessageType | undefined;
  private frame: Buffer | undefined;
  /** Whether the last message was the one before it, too. */
  repeated = false;

  /** The frame of a message; `bytes` must not be changed later. */
  make(bytes: Uint8Array, type: MessageType | undefined): Buffer {
    this.repeated = this.bytes === bytes && this.type === type;
    if (!this.repeated || !this.frame) {
      this.frame = frameOf(bytes, isText(bytes, type));
      this.bytes = bytes;
      this.type = type;
    }
    return this.frame;
  }
}
