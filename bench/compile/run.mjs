// `npm run bench:lua`: the scripts of this folder compiled, in Fengari, in wasmoon and in Debian's lua5.3, lua5.4 and
// luajit, round by round; then what modules cost to load.
//   node bench/compile/run.mjs [SCRIPT …] [--rounds N] [--seconds N] [--write]
// --write puts the tables into src/script/compile/README.md. Ends with 1 when a goal is not met.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { bundleInto } from '../support/bundle.mjs';
import { median } from '../support/statistics.mjs';
import { contestants, start } from './contestants.mjs';

const ROOT = new URL('../../', import.meta.url);
const README = new URL('src/script/compile/README.md', ROOT);
/** By contestant: how many times as fast compiled code should be, as a geometric mean. */
const GOALS = { fengari: 25, 'lua5.4': 2, luajit: 0.8 };
const MAX_COMPILE_MS = 5;
const MAX_MODULE_BYTES = 300_000;

const { values: options, positionals: named } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '0.15' },
    write: { type: 'boolean', default: false },
  },
});
const [rounds, seconds] = [Number(options.rounds), Number(options.seconds)];
const scripts = readdirSync(new URL('.', import.meta.url))
  .filter((file) => file.endsWith('.lua'))
  .map((file) => file.slice(0, -'.lua'.length))
  .filter((name) => named.length === 0 || named.includes(name));

const folder = mkdtempSync(join(tmpdir(), 'moonwire-bench-'));
try {
  const bundle = await bundled();
  const rates = {};
  for (const script of scripts) rates[script] = await race(script, bundle);
  const means = meansOf(rates);
  const loading = JSON.parse(
    execFileSync(
      process.execPath,
      ['--expose-gc', fileURLToPath(new URL('loading.mjs', import.meta.url)), bundle],
      {
        encoding: 'utf8',
      },
    ),
  );
  const text = [speedTable(rates), '', speedLine(means), '', ...loadingLines(loading), '', machine()].join(
    '\n',
  );
  process.stdout.write(`${text}\n`);
  if (options.write) write(text);
  const met =
    Object.entries(GOALS).every(([name, goal]) => means[name] === undefined || means[name] >= goal) &&
    loading.later <= MAX_COMPILE_MS &&
    loading.memory.every(({ loaded, files }) => loaded / files <= MAX_MODULE_BYTES);
  if (!met) process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** Bundles what runs in Node.js, as production does. */
async function bundled() {
  const outfile = join(folder, 'script.mjs');
  const exports = [
    `export { Budget } from './src/script/budget.js';`,
    `export { compileChunk } from './src/script/compile/compile.js';`,
    `export { CompiledVm } from './src/script/compile/compiled-vm.js';`,
    `export { Loader } from './src/script/loader.js';`,
    `export { Vm } from './src/script/vm.js';`,
    `export { compiledVm } from './test/support/compiled.js';`,
  ];
  await bundleInto(exports, outfile);
  return outfile;
}

/** Runs a second of each contestant, the middle of all rounds. They take turns, so that a busy machine hinders all. */
async function race(script, bundle) {
  const field = contestants.map((contestant) => ({
    name: contestant.name,
    ...start(contestant, `${script}.lua`, bundle),
    runs: 1,
    rates: [],
  }));
  try {
    for (const one of field) {
      process.stderr.write(`${script} in ${one.name} …\n`);
      // The last of them warms up.
      while ((await one.seconds(one.runs)) < seconds) one.runs *= 2;
    }
    for (let round = 0; round < rounds; round++) {
      for (const one of field) one.rates.push(one.runs / (await one.seconds(one.runs)));
    }
  } finally {
    for (const one of field) one.stop();
  }
  return Object.fromEntries(field.map(({ name, rates }) => [name, median(rates)]));
}

/** By contestant: how many times as fast compiled code is. */
function meansOf(rates) {
  const all = Object.values(rates);
  return Object.fromEntries(
    contestants.slice(1).map(({ name }) => {
      const logs = all.map((rate) => Math.log(rate.compiled / rate[name]));
      return [name, Math.exp(logs.reduce((a, b) => a + b, 0) / logs.length)];
    }),
  );
}

function speedTable(rates) {
  const names = contestants.map(({ name }) => name);
  return [
    `| runs a second | ${names.join(' | ')} |`,
    `|---|${names.map(() => '---|').join('')}`,
    ...Object.entries(rates).map(
      ([script, rate]) =>
        `| \`${script}\` | ${names.map((name) => Math.round(rate[name]).toLocaleString('en-US')).join(' | ')} |`,
    ),
  ].join('\n');
}

function speedLine(means) {
  const parts = Object.entries(means).map(([name, mean]) => {
    const goal = GOALS[name];
    return `${mean.toFixed(2)}× ${name}${goal === undefined ? '' : ` (goal ${goal})`}`;
  });
  return `Compiled, geometric mean: ${parts.join(', ')}.`;
}

function loadingLines({ lines, first, later, memory }) {
  const kilobytes = (bytes) => Math.round(bytes / 1000);
  const total = (key) => memory.reduce((sum, row) => sum + row[key], 0);
  const most = memory.reduce((a, b) => (b.loaded > a.loaded ? b : a));
  const mean = (key) => kilobytes(total(key) / memory.length);
  return [
    `A module of ${lines} lines is compiled in ${later.toFixed(1)} ms of CPU at best (goal ${MAX_COMPILE_MS}); the first of a process, whose compiler is cold, in ${first.toFixed(1)} ms.`,
    `Heap: ${kilobytes(total('loaded') / total('files'))} kB a module (goal ${kilobytes(MAX_MODULE_BYTES)}). A protocol with all modules that it requires takes ${mean('loaded')} kB in the mean, at most ${kilobytes(most.loaded)} kB (\`${most.module}\`, ${most.files} modules); ${mean('used')} kB in the mean once it has decoded its vectors ${memory[0].passes} times and V8 has optimised what is hot. Its VM takes ${mean('vm')} kB more.`,
  ];
}

function machine() {
  const load = loadavg()[0].toFixed(1);
  return `${new Date().toISOString().slice(0, 10)}, Node ${process.version}, ${availableParallelism()} × ${cpus()[0].model}, load ${load} at the end.`;
}

/** Puts the figures where the README has its place for them. */
function write(text) {
  const [begin, end] = [
    '<!-- figures: written by npm run bench:lua -- --write -->',
    '<!-- end of figures -->',
  ];
  const [before, rest] = readFileSync(README, 'utf8').split(begin);
  writeFileSync(README, `${before}${begin}\n${text}\n${end}${rest.split(end)[1]}`);
}
