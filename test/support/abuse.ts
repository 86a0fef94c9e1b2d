/** What every protocol module must hold against bad input. */

import type { Test } from 'tap';
import type { ProtocolUnderTest } from './protocol.js';
import { random } from './random.js';
import { mutate } from './vectors.js';

/** Feeds mutated frames for `ms` milliseconds: as a stream, past the framing, and with replies. Nothing may raise. */
export function abuseProtocol(
  t: Test,
  under: ProtocolUnderTest,
  good: readonly Uint8Array[],
  ms = 600,
): void {
  const rng = random(t);
  const until = Date.now() + ms;
  let tried = 0;
  for (; Date.now() < until; tried++) {
    const bytes = rng.below(5) === 0 ? rng.bytes(rng.below(60)) : mutate(rng.pick(good), rng);
    try {
      under.peer().decode(bytes);
      if (under.protocol.framed) under.feed([bytes, null]);
    } catch (error) {
      // An `input` function may ask for the connection to be closed.
      if ((error as Error).name === 'DisconnectRequest') continue;
      t.fail(`${Buffer.from(bytes).toString('hex')}: ${String(error)}`);
      return;
    }
  }
  t.ok(tried > 0, `${tried} frames`);
}
