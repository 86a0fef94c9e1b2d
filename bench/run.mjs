// `npm run bench`: measures the budgets of the engine and prints a table; see README.md beside this file.
//   node bench/run.mjs [cpu] [memory] [start] [--write]
// Ends with 1 when a budget is not met.
import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { cpuRows } from './cpu.mjs';
import { memoryRows, startRows } from './memory.mjs';

const PARTS = { start: startRows, memory: memoryRows, cpu: cpuRows };
const README = new URL('README.md', import.meta.url);
const BEGIN = '<!-- figures: written by run.mjs --write -->';
const END = '<!-- end of figures -->';

const args = process.argv.slice(2);
const write = args.includes('--write');
const named = args.filter((arg) => arg !== '--write');
const unknown = named.find((name) => !Object.hasOwn(PARTS, name));
if (unknown !== undefined || process.platform !== 'linux' || (write && named.length > 0)) {
  process.stderr.write(
    process.platform === 'linux'
      ? `usage: node bench/run.mjs [${Object.keys(PARTS).join('] [')}] | --write\n`
      : 'these benchmarks read /proc: they run on Linux\n',
  );
  process.exit(2);
}

const note = (text) => process.stderr.write(`${text} …\n`);
const rows = [];
for (const name of named.length > 0 ? named : Object.keys(PARTS)) rows.push(...(await PARTS[name](note)));

const table = [
  '| what | figure | budget | | |',
  '|---|---|---|---|---|',
  ...rows.map(({ what, figure, budget, met, details }) => {
    const verdict = budget ? (met ? 'met' : '**not met**') : 'no budget';
    return `| ${what} | ${figure} | ${budget ?? ''} | ${verdict} | ${details} |`;
  }),
].join('\n');
const load = loadavg()[0].toFixed(1);
const machine = `${new Date().toISOString().slice(0, 10)}, Node ${process.version}, ${availableParallelism()} × ${cpus()[0].model}, load ${load} at the end.`;

process.stdout.write(`${table}\n\n${machine}\n`);
if (write) {
  const [before, rest] = readFileSync(README, 'utf8').split(BEGIN);
  writeFileSync(README, `${before}${BEGIN}\n${table}\n\n${machine}\n${END}${rest.split(END)[1]}`);
}
if (rows.some((row) => row.budget && !row.met)) process.exitCode = 1;
