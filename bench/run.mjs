// `npm run bench`: measures the budgets of the engine and what protocols cost, and prints both as tables; see
// README.md beside this file.
//   node bench/run.mjs [start] [memory] [cpu] [devices] [bus] [outbox] [tls] [echo] [reload] [restart] [mesh] [protocols] [--write]
// Ends with 1 when a budget is not met.
import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { busRows } from './bus.mjs';
import { reloadRows } from './change/reload.mjs';
import { restartRows } from './change/restart.mjs';
import { cpuRows, deviceRows } from './cpu.mjs';
import { echoRows } from './echo/rows.mjs';
import { memoryRows, startRows } from './memory.mjs';
import { fanoutRows } from './mesh/fanout.mjs';
import { registrationRows } from './mesh/registration.mjs';
import { sendRows } from './mesh/sends.mjs';
import { outboxRows } from './outbox/rows.mjs';
import { protocolRows, protocolTable } from './protocols.mjs';
import { tlsRows } from './tls/rows.mjs';

const BUDGETS = { start: startRows, memory: memoryRows, cpu: cpuRows, devices: deviceRows };
/** Those with a table of their own. */
const TABLES = {
  bus: busRows,
  outbox: outboxRows,
  tls: tlsRows,
  echo: echoRows,
  reload: reloadRows,
  restart: restartRows,
};
const PARTS = [...Object.keys(BUDGETS), ...Object.keys(TABLES), 'mesh', 'protocols'];
const MESH = [fanoutRows, sendRows, registrationRows];
const README = new URL('README.md', import.meta.url);

const args = process.argv.slice(2);
const write = args.includes('--write');
const named = args.filter((arg) => arg !== '--write');
const parts = named.length > 0 ? named : PARTS;
const unknown = named.find((name) => !PARTS.includes(name));
const budgets = Object.keys(BUDGETS).filter((name) => parts.includes(name));
// A table is written whole.
const partial = budgets.length > 0 && budgets.length < Object.keys(BUDGETS).length;
if (unknown !== undefined || process.platform !== 'linux' || (write && partial)) {
  process.stderr.write(
    process.platform === 'linux'
      ? `usage: node bench/run.mjs [${PARTS.join('] [')}] [--write]\n`
      : 'these benchmarks read /proc: they run on Linux\n',
  );
  process.exit(2);
}

const note = (text) => process.stderr.write(`${text} …\n`);
const rows = [];
for (const name of budgets) rows.push(...(await BUDGETS[name](note)));
if (rows.length > 0) show('figures', budgetTable(rows));
for (const name of Object.keys(TABLES).filter((table) => parts.includes(table))) {
  const measured = await TABLES[name](note);
  rows.push(...measured);
  show(name, budgetTable(measured));
}
if (parts.includes('mesh')) {
  const measured = [];
  for (const part of MESH) measured.push(...(await part(note)));
  show('mesh', meshTable(measured));
}
if (parts.includes('protocols')) show('protocols', protocolTable(await protocolRows(note)));
if (rows.some((row) => row.budget && !row.met)) process.exitCode = 1;

function budgetTable(rows) {
  return [
    '| what | figure | budget | | |',
    '|---|---|---|---|---|',
    ...rows.map(({ what, figure, budget, met, details }) => {
      const verdict = budget ? (met ? 'met' : '**not met**') : 'no budget';
      return `| ${what} | ${figure} | ${budget ?? ''} | ${verdict} | ${details} |`;
    }),
  ].join('\n');
}

function meshTable(measured) {
  return [
    '| what | figure | |',
    '|---|---|---|',
    ...measured.map(({ what, figure, details }) => `| ${what} | ${figure} | ${details} |`),
  ].join('\n');
}

/** Prints a table, and puts it where README.md has its place for it. */
function show(name, table) {
  const load = loadavg()[0].toFixed(1);
  const machine = `${new Date().toISOString().slice(0, 10)}, Node ${process.version}, ${availableParallelism()} × ${cpus()[0].model}, load ${load} at the end.`;
  process.stdout.write(`${table}\n\n${machine}\n\n`);
  if (!write) return;
  const [begin, end] = [`<!-- ${name}: written by run.mjs --write -->`, `<!-- end of ${name} -->`];
  const [before, rest] = readFileSync(README, 'utf8').split(begin);
  writeFileSync(README, `${before}${begin}\n${table}\n\n${machine}\n${end}${rest.split(end)[1]}`);
}
