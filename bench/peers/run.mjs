// `npm run bench:peers`: the engine and other programs at the same work, in one run; see ../README.md.
//   node bench/peers/run.mjs [echo] [modbus] [gt06] [publish] [memory] [--only=Tarantool,Mosquitto] [--write | --check]
// With --check next to nothing is measured, and installed nothing: whether all that is here works and answers right.
import { readFileSync } from 'node:fs';
import { show, table } from '../support/table.mjs';
import { MOONWIRE } from './contestants.mjs';
import { EXCHANGES } from './exchanges.mjs';
import { PROGRAMS, provide } from './install.mjs';
import { MEMORY_COLUMNS, memoryRows } from './memory.mjs';
import { publishRows } from './publish.mjs';
import { FULL, TINY } from './scale.mjs';
import { WORK_COLUMNS, workRows } from './work.mjs';

const works = Object.keys(EXCHANGES).map((work) => [work, [WORK_COLUMNS, (run) => workRows(work, run)]]);
const PARTS = {
  ...Object.fromEntries(works),
  publish: [WORK_COLUMNS, publishRows],
  memory: [MEMORY_COLUMNS, memoryRows],
};

const args = process.argv.slice(2);
const [write, check] = ['--write', '--check'].map((flag) => args.includes(flag));
const only = args
  .find((arg) => arg.startsWith('--only='))
  ?.slice('--only='.length)
  .split(',');
const parts = args.filter((arg) => !arg.startsWith('--'));
const known = (arg) => ['--write', '--check'].includes(arg) || arg.startsWith('--only=') || arg in PARTS;
const valid =
  args.every(known) && !(write && (check || only)) && (only ?? []).every((name) => name in PROGRAMS);
if (!valid || process.platform !== 'linux') {
  process.stderr.write(
    process.platform === 'linux'
      ? `usage: node bench/peers/run.mjs [${Object.keys(PARTS).join('] [')}] [--only=${Object.keys(PROGRAMS)}] [--write | --check]\n`
      : 'these benchmarks read /proc: they run on Linux\n',
  );
  process.exit(2);
}

const note = (text) => process.stderr.write(`${text} …\n`);
const names = (only ?? Object.keys(PROGRAMS)).filter((name) => {
  const why = provide(name, check ? undefined : note);
  if (why !== undefined) note(`${name} is left out: ${why}`);
  return why === undefined;
});
const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
const versions = [`${MOONWIRE} ${version}`, ...names.map((name) => `${name} ${PROGRAMS[name].version()}`)];
const run = { scale: check ? TINY : FULL, names: [MOONWIRE, ...names], note };
for (const name of parts.length > 0 ? parts : Object.keys(PARTS)) {
  const [columns, rowsOf] = PARTS[name];
  show(`peers ${name}`, `${table(columns, await rowsOf(run))}\n\n${versions.join(', ')}.`, write);
}
