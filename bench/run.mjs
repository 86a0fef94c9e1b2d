// `npm run bench`: measures the budgets of the engine and what protocols cost, and prints both as tables; see
// README.md beside this file.
//   node bench/run.mjs [start] [memory] [cpu] [devices] [bus] [outbox] [tls] [echo] [reload] [restart] [mesh] [protocols] [footprint] [--write]
// Ends with 1 when a budget is not met.
import { busRows } from './bus.mjs';
import { reloadRows } from './change/reload.mjs';
import { restartRows } from './change/restart.mjs';
import { cpuRows, deviceRows } from './cpu.mjs';
import { echoRows } from './echo/rows.mjs';
import { footprintRows, footprintTable } from './footprint/rows.mjs';
import { memoryRows, startRows } from './memory.mjs';
import { fanoutRows } from './mesh/fanout.mjs';
import { registrationRows } from './mesh/registration.mjs';
import { sendRows } from './mesh/sends.mjs';
import { outboxRows } from './outbox/rows.mjs';
import { protocolRows, protocolTable } from './protocols.mjs';
import { show, table } from './support/table.mjs';
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
const PARTS = [...Object.keys(BUDGETS), ...Object.keys(TABLES), 'mesh', 'protocols', 'footprint'];
const MESH = [fanoutRows, sendRows, registrationRows];

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
if (rows.length > 0) show('figures', budgetTable(rows), write);
for (const name of Object.keys(TABLES).filter((table) => parts.includes(table))) {
  const measured = await TABLES[name](note);
  rows.push(...measured);
  show(name, budgetTable(measured), write);
}
if (parts.includes('mesh')) {
  const measured = [];
  for (const part of MESH) measured.push(...(await part(note)));
  show('mesh', meshTable(measured), write);
}
if (parts.includes('protocols')) show('protocols', protocolTable(await protocolRows(note)), write);
if (parts.includes('footprint')) show('footprint', footprintTable(await footprintRows(note)), write);
if (rows.some((row) => row.budget && !row.met)) process.exitCode = 1;

function budgetTable(rows) {
  return table(
    ['what', 'figure', 'budget', '', ''],
    rows.map(({ what, figure, budget, met, details }) => {
      const verdict = budget ? (met ? 'met' : '**not met**') : 'no budget';
      return [what, figure, budget ?? '', verdict, details];
    }),
  );
}

function meshTable(measured) {
  return table(
    ['what', 'figure', ''],
    measured.map(({ what, figure, details }) => [what, figure, details]),
  );
}
