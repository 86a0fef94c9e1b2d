// Tables on standard output and in README.md.
import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg } from 'node:os';

const README = new URL('../README.md', import.meta.url);

/** Lines of a table in Markdown: the names of its columns, then rows of cells. */
export function table(columns, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [line(columns), `|${'---|'.repeat(columns.length)}`, ...rows.map(line)].join('\n');
}

/** Prints a table, and with `write` puts it where README.md has its place for it. */
export function show(name, lines, write) {
  const load = loadavg()[0].toFixed(1);
  const machine = `${new Date().toISOString().slice(0, 10)}, Node ${process.version}, ${availableParallelism()} × ${cpus()[0].model}, load ${load} at the end.`;
  process.stdout.write(`${lines}\n\n${machine}\n\n`);
  if (!write) return;
  const [begin, end] = [`<!-- ${name}: written by run.mjs --write -->`, `<!-- end of ${name} -->`];
  const [before, rest] = readFileSync(README, 'utf8').split(begin);
  writeFileSync(README, `${before}${begin}\n${lines}\n\n${machine}\n${end}${rest.split(end)[1]}`);
}
