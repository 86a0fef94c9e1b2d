/** Feeds a protocol the same bytes in different pieces, which must not make a difference. */

import { OfflinePeer } from '../engine/offline.js';
import type { Protocol } from '../engine/protocol.js';
import { firstDifference } from './test-difference.js';

/** Longest frame in bytes, for protocols that name no `max`. */
export const MAX_FRAME = 65_536;

/** What a protocol made of one connection's bytes. */
export interface Outcome {
  messages: unknown[];
  /** Acknowledgements, in order. */
  replies: Uint8Array[];
  /** Bytes that belonged to no frame. */
  discarded: number;
  /** The first error; absent when there was none. */
  error?: string;
}

/** A number from 0 to 1 (1 not reached), as Math.random, but again the same for the same seed. */
export type RandomSource = () => number;

/** Random numbers from a seed (mulberry32). */
export function seededRandom(seed: number): RandomSource {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * Feeds the chunks as they are, then byte by byte and randomly split, each time to a new peer. Chunks of a protocol
 * without framing are datagrams, which nothing splits. Returns what came of the first, and which other way gave
 * other messages or replies, if one did.
 */
export function feedEveryWay(
  protocol: Protocol,
  chunks: readonly Uint8Array[],
  random: RandomSource,
): { outcome: Outcome; difference?: string } {
  const outcome = feed(protocol, chunks);
  if (!protocol.framed) return { outcome };
  const stream = Buffer.concat(chunks);
  const ways = {
    'byte by byte': pieces(stream, () => 1),
    'randomly split': pieces(stream, () => 1 + Math.floor(random() * 16)),
  };
  for (const [way, split] of Object.entries(ways)) {
    const { messages, replies } = feed(protocol, split);
    const difference =
      firstDifference(messages, outcome.messages, 'messages') ??
      firstDifference(replies, outcome.replies, 'replies');
    if (difference !== undefined) return { outcome, difference: `fed ${way}: ${difference}` };
  }
  return { outcome };
}

function feed(protocol: Protocol, chunks: readonly Uint8Array[]): Outcome {
  const outcome: Outcome = { messages: [], replies: [], discarded: 0 };
  const peer = new OfflinePeer(protocol, MAX_FRAME, {
    message: (message) => outcome.messages.push(message),
    reply: (bytes) => outcome.replies.push(bytes.slice()),
    discard: (bytes) => {
      outcome.discarded += bytes.length;
    },
    error: (message) => {
      outcome.error ??= message;
    },
  });
  // Framers own what they are pushed.
  for (const [i, chunk] of chunks.entries()) peer.feed(chunk.slice(), i === chunks.length - 1);
  return outcome;
}

function pieces(bytes: Uint8Array, size: () => number): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = Math.min(bytes.length, at + size());
    parts.push(bytes.subarray(at, end));
    at = end;
  }
  return parts;
}
