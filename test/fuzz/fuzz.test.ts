/** What the fuzzers found before, and a short run of each with new inputs; `npm run fuzz` goes on for longer. */

import t from 'tap';
import { fuzz, TARGETS } from './fuzz.js';

const MS = { protocols: 4000, codecs: 1500, mux: 700, config: 700, wires: 1000, api: 700 } as const;

for (const [kind, open] of Object.entries(TARGETS)) {
  t.test(`${kind} withstand whatever comes`, async (t) => {
    const targets = await open();
    const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
    const each = MS[kind as keyof typeof MS] / targets.length;
    for (const target of targets) {
      const { found, tried } = await fuzz(target, seed, Date.now() + each);
      t.equal(
        found && `${found.from}: ${found.error.stack}\n${found.hex}`,
        undefined,
        `${target.name}: ${tried} inputs`,
      );
    }
    for (const { close } of targets) await close?.();
  });
}
