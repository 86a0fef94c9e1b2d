/** `npm run fuzz`: see README.md. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { fuzz, shrink, TARGETS } from './fuzz.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: 'string', default: '60' }, seed: { type: 'string' } },
});
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
const note = (text: string): void => void process.stdout.write(`${text}\n`);
const [wanted = ''] = positionals;

const all = await Promise.all(
  Object.entries(TARGETS)
    .filter(([kind]) => wanted === '' || wanted.split('.')[0] === kind)
    .map(([, open]) => open()),
);
const targets = all.flat();
const chosen = targets.filter(
  ({ name }) => name === wanted || name.startsWith(wanted === '' ? '' : `${wanted}.`),
);
if (chosen.length === 0)
  throw new Error(
    `no target ${wanted}: there are ${targets.map(({ name }) => name).join(', ') || Object.keys(TARGETS)}`,
  );

note(`seed ${seed}`);
for (const target of chosen) {
  const until = Date.now() + (Number(values.seconds) * 1000) / chosen.length;
  const { found, tried } = await fuzz(target, seed, until);
  note(`${target.name}: ${tried} inputs${found ? ', NOT WITHSTOOD' : ''}`);
  if (!found) continue;
  process.exitCode = 1;
  const least = Buffer.from(await shrink(target, Buffer.from(found.hex, 'hex'))).toString('hex');
  const folder = join('test/fuzz/corpus', target.name);
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${found.from.replace(/\W/g, '-')}.hex`);
  writeFileSync(file, `${least}\n`);
  note(
    `${found.from}: ${found.error.stack}\n${least}\nkept as ${file}: give it a name that says what is wrong`,
  );
}
for (const { close } of targets) await close?.();
process.exit();
