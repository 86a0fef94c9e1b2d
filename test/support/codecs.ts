/** What every codec must hold against bad input. */

import type { Test } from 'tap';
import type { CodecRegistry } from '../../src/codecs/registry.js';
import { MoonwireError } from '../../src/errors.js';
import { random } from './random.js';
import { mutate } from './vectors.js';

/**
 * Decodes noise and mutations of `good` for `ms` milliseconds: each decodes, or is refused as `decode_error`; no
 * prototype is touched.
 */
export function abuse(
  t: Test,
  codecs: CodecRegistry,
  name: string,
  good: readonly Uint8Array[],
  options: () => unknown = () => undefined,
  ms = 700,
): void {
  const rng = random(t);
  const before = Object.getOwnPropertyNames(Object.prototype).length;
  const until = Date.now() + ms;
  let decoded = 0;
  let refused = 0;
  while (Date.now() < until) {
    for (let i = 0; i < 200; i++) {
      const bytes = rng.below(4) === 0 ? rng.bytes(rng.below(40)) : mutate(rng.pick(good), rng);
      try {
        codecs.decode(name, bytes, options());
        decoded++;
      } catch (error) {
        if (!(error instanceof MoonwireError && error.code === 'decode_error')) {
          t.fail(`${Buffer.from(bytes).toString('hex')}: ${String(error)}`);
          return;
        }
        refused++;
      }
    }
  }
  t.equal(Object.getOwnPropertyNames(Object.prototype).length, before, 'no prototype is changed');
  t.ok(decoded > 0 && refused > 0, `${decoded} decoded, ${refused} refused`);
}
