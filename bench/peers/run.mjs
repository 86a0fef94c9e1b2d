// `npm run bench:peers`: the engine and other programs at the same work, in one run; see ../README.md.
//   node bench/peers/run.mjs [echo] [modbus] [gt06] [publish] [memory] [--write]
//   node bench/peers/run.mjs --check      only that each peer that is here answers right, byte for byte
import { readFileSync } from 'node:fs';
import { show, table } from '../support/table.mjs';
import { MOONWIRE, startAll, stopAll } from './contestants.mjs';
import { checkAnswers, EXCHANGES } from './exchanges.mjs';
import { PROGRAMS, provide } from './install.mjs';
import { MEMORY_COLUMNS, memoryRows } from './memory.mjs';
import { checkDelivery, publishRows } from './publish.mjs';
import { WORK_COLUMNS, workRows } from './work.mjs';

const works = Object.keys(EXCHANGES).map((work) => [work, [WORK_COLUMNS, (note) => workRows(work, note)]]);
const PARTS = {
  ...Object.fromEntries(works),
  publish: [WORK_COLUMNS, publishRows],
  memory: [MEMORY_COLUMNS, memoryRows],
};
const FLAGS = ['--write', '--check'];

const args = process.argv.slice(2);
const parts = args.filter((arg) => !arg.startsWith('--'));
if (args.some((arg) => !FLAGS.includes(arg) && !(arg in PARTS)) || process.platform !== 'linux') {
  process.stderr.write(
    process.platform === 'linux'
      ? `usage: node bench/peers/run.mjs [${Object.keys(PARTS).join('] [')}] [--write] | --check\n`
      : 'these benchmarks read /proc: they run on Linux\n',
  );
  process.exit(2);
}

const note = (text) => process.stderr.write(`${text} …\n`);
if (args.includes('--check')) await check();
else await measure();

async function check() {
  for (const work of Object.keys(EXCHANGES)) {
    const servers = await startAll(work);
    try {
      for (const [name, { port }] of servers) {
        await checkAnswers(work, name, port);
        process.stdout.write(`${work}: ${name} answers right\n`);
      }
    } finally {
      await stopAll(servers);
    }
  }
  for (const name of await checkDelivery()) process.stdout.write(`publish: ${name} delivers right\n`);
}

async function measure() {
  for (const name of Object.keys(PROGRAMS)) {
    const why = provide(name, note);
    if (why !== undefined) note(`${name} is left out: ${why}`);
  }
  process.stdout.write(`${versions()}\n\n`);
  for (const name of parts.length > 0 ? parts : Object.keys(PARTS)) {
    const [columns, rowsOf] = PARTS[name];
    show(`peers ${name}`, `${table(columns, await rowsOf(note))}\n\n${versions()}`, args.includes('--write'));
  }
}

function versions() {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  const here = Object.entries(PROGRAMS).filter(([, program]) => program.where() !== undefined);
  return [`${MOONWIRE} ${version}`, ...here.map(([name, program]) => `${name} ${program.version()}`)].join(
    ', ',
  );
}
