import t from 'tap';
import { missing } from '../../support/need.js';
import { random } from '../../support/random.js';
import { CASES } from './cases.js';
import { compiled, inLua, judgeBatch } from './judge.js';

const skip = missing('lua5.3', 'lua5.3');
/** Milliseconds of each kind of random programs. */
const FOR_MS = 1500;

t.test('what Lua 5.3 prints, compiled code prints', { skip }, async (t) => {
  for (const program of CASES) t.equal(compiled(program), inLua(program), program.slice(0, 100));
});

for (const numerals of [false, true]) {
  t.test(`random programs${numerals ? ' with fractions and numerals' : ''}`, { skip }, async (t) => {
    const rng = random(t);
    const until = Date.now() + FOR_MS;
    let tried = 0;
    do {
      const batch = judgeBatch(rng, numerals);
      tried += batch.tried;
      for (const { program, ours, wanted } of batch.different) t.equal(ours, wanted, program);
    } while (Date.now() < until);
    t.pass(`${tried} programs`);
  });
}
