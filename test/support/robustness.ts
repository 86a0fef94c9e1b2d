/** What every protocol must withstand, tried with the good frames of its vectors. */

import type { Test } from 'tap';
import { splits } from './framing.js';
import type { ProtocolUnderTest } from './protocol.js';
import type { Random } from './random.js';
import { mutate } from './vectors.js';

/** Expiries that give up whatever false frames a damaged stream may hold. */
const PATIENCE: null[] = Array(100).fill(null);

/** Each stream decodes alike whole, byte by byte and cut at random; returns what it decodes to. */
export function cutAnyhow(t: Test, under: ProtocolUnderTest, stream: Uint8Array, rng: Random, name: string) {
  const whole = under.feed([stream, null]);
  for (const chunks of splits(stream, rng)) {
    const { messages, errors, discarded } = under.feed([...chunks, null]);
    t.strictSame(
      { messages, errors, discarded },
      { messages: whole.messages, errors: whole.errors, discarded: whole.discarded },
      name,
    );
  }
  return whole;
}

/**
 * Good frames (one message each) between noise, a damaged frame and a truncated one are all decoded, and nothing is
 * decoded of the damaged one. `noise`: a byte of noise; `damage`: changes a frame so that its check fails.
 */
export function goodAmongBad(
  t: Test,
  under: ProtocolUnderTest,
  good: Uint8Array[],
  rng: Random,
  options: { rounds?: number; noise?: (byte: number) => number; damage(frame: Uint8Array): void },
): void {
  const { rounds = 30, noise = (byte) => byte, damage } = options;
  for (let round = 0; round < rounds; round++) {
    const [a, b, c, d] = [rng.pick(good), rng.pick(good), rng.pick(good), rng.pick(good)];
    const damaged = Uint8Array.from(b);
    damage(damaged);
    // Without its last bytes only, a frame may be complete: line ends and flags are shared or left out.
    const cut = d.subarray(0, rng.below(d.length - 6));
    const stream = Buffer.concat([a, rng.bytes(rng.below(20)).map(noise), damaged, c, cut, d]);
    const { messages } = under.feed([...rng.pick(splits(stream, rng)), ...PATIENCE]);
    const wanted = [a, c, d].flatMap((frame) => under.feed([frame, null]).messages);
    t.strictSame(messages, wanted, `round ${round}`);
  }
}

/** Frames with bytes changed, added and removed, past the framing and through it, for `ms`: nothing ever raises. */
export function neverRaises(
  t: Test,
  under: ProtocolUnderTest,
  frames: Uint8Array[],
  rng: Random,
  ms = 1000,
): void {
  const until = Date.now() + ms;
  let tried = 0;
  for (; Date.now() < until; tried++) {
    const bytes = mutate(rng.pick(frames), rng);
    under.feed([bytes, null]);
    const peer = under.peer();
    peer.decode(bytes);
    peer.decode(mutate(rng.pick(frames), rng));
  }
  t.comment(`${tried} frames`);
  t.ok(tried > 0);
}
