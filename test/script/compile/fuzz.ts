/** Random programs against lua5.3 for as long as is asked for; `npm run fuzz:lua` bundles and runs this. */

import { parseArgs } from 'node:util';
import { random } from '../../support/random.js';
import { judgeBatch } from './judge.js';

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '60' }, seed: { type: 'string' } },
});
if (values.seed !== undefined) process.env.SEED = values.seed;
const note = (text: string) => process.stdout.write(`${text}\n`);

const rng = random({ comment: note });
const until = Date.now() + Number(values.seconds) * 1000;
let tried = 0;
let numerals = false;
while (Date.now() < until && process.exitCode === undefined) {
  const batch = judgeBatch(rng, numerals);
  tried += batch.tried;
  for (const { program, ours, wanted } of batch.different) {
    note(
      `-- after ${tried} programs --\n${program}\n-- lua5.3 prints --\n${wanted}-- compiled code prints --\n${ours}`,
    );
    process.exitCode = 1;
  }
  numerals = !numerals;
}
note(`${tried} programs${process.exitCode === undefined ? ', all alike' : ''}`);
