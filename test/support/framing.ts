import type { DiscardReason, FramerSpec } from '../../src/bytes/framer.js';
import type { Random } from './random.js';

/** What a framer did with a stream. */
export interface Outcome {
  frames: string[];
  discards: { reason: DiscardReason; hex: string }[];
  /** Bytes still held at the end. */
  pending: number;
}

export const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
export const unhex = (digits: string) => Buffer.from(digits, 'hex');

/**
 * Feeds chunks to a new framer, pulling after each; `null` among them calls `expire`. Holds the framer to its
 * contract: the position and the bytes held add up, and no more is held than `max` and the last push.
 */
export function feed(spec: FramerSpec, chunks: readonly (Uint8Array | null)[]): Outcome {
  const discards: Outcome['discards'] = [];
  const frames: string[] = [];
  const framer = spec.create((bytes, reason) => discards.push({ reason, hex: hex(bytes) }));
  let pushed = 0;
  for (const chunk of chunks) {
    if (chunk === null) framer.expire();
    else {
      framer.push(chunk);
      pushed += chunk.length;
    }
    for (let frame = framer.next(); frame; frame = framer.next()) frames.push(hex(frame));
    if (framer.position + framer.pending !== pushed) {
      throw new Error(`position ${framer.position} + pending ${framer.pending} is not ${pushed}`);
    }
    if (framer.pending > spec.max) throw new Error(`${framer.pending} bytes held, max ${spec.max}`);
  }
  return { frames, discards, pending: framer.pending };
}

/** The same stream whole, byte by byte, and cut at random places. */
export function splits(stream: Uint8Array, rng: Random): Uint8Array[][] {
  const cut = (size: () => number) => {
    const chunks: Uint8Array[] = [];
    for (let at = 0; at < stream.length; ) {
      const end = Math.min(stream.length, at + size());
      chunks.push(stream.subarray(at, end));
      at = end;
    }
    return chunks;
  };
  return [[stream], cut(() => 1), cut(() => 1 + rng.below(7)), cut(() => 1 + rng.below(stream.length + 1))];
}
