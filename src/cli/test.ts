/** `moonwire test`: runs the tests of scripts and prints what came of them as TAP, version 14. */

import { readdirSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { MoonwireError } from '../errors.js';
import { EXIT } from './exit.js';
import { scriptRoots } from './roots.js';
import { untilSignal } from './signals.js';
import { runCase, runFile, type TestResult } from './test-run.js';
import { watchScripts } from './watch-scripts.js';

export interface TestOptions {
  /** Seed of the random splits; drawn when absent. */
  seed?: number;
  /** Runs again whenever a Lua file is saved. */
  watch?: boolean;
}

/** Runs all tests below a path; returns the exit code, failed when there was none. */
export async function test(path: string, { seed, watch }: TestOptions): Promise<number> {
  const run = () => runAll(path, seed ?? Math.floor(Math.random() * 2 ** 32));
  if (!watch) return run();
  // From here on, so that a signal during the first run does not end it half way.
  const stopping = untilSignal();
  let code: number = EXIT.failed;
  // Looks for the first time before the first run, so that no save goes unseen.
  const stopWatching = watchScripts([...new Set([path, ...scriptRoots()])], [], async () => {
    code = run();
  });
  code = run();
  await stopping;
  await stopWatching();
  return code;
}

function runAll(path: string, seed: number): number {
  const found = findTests(path);
  print(`TAP version 14\n# seed ${seed} (--seed ${seed} runs this again)`);
  let count = 0;
  let failed = 0;
  const report = (result: TestResult): void => {
    count++;
    if (result.problem !== undefined) failed++;
    print(tapLine(count, result));
  };
  for (const file of found.files) runFile(file, seed, report, (text) => print(`# ${text}`));
  for (const folder of found.cases) report(runCase(folder, seed));
  print(`1..${count}${count === 0 ? ` # no *_test.lua with tests and no case folder in ${path}` : ''}`);
  if (count > 0) print(`# ${count - failed} of ${count} passed`);
  return count > 0 && failed === 0 ? EXIT.done : EXIT.failed;
}

function tapLine(number: number, { name, problem }: TestResult): string {
  // TAP takes "#" for a directive.
  const line = `${problem === undefined ? 'ok' : 'not ok'} ${number} - ${name.replaceAll('#', '\\#')}`;
  if (problem === undefined) return line;
  return `${line}\n  ---\n  message: |-\n${problem.replace(/^/gm, '    ')}\n  ...`;
}

/** Test files and case folders below a path, which may be one itself, in the order of their names. */
function findTests(path: string): { files: string[]; cases: string[] } {
  const entry = statSync(path, { throwIfNoEntry: false });
  if (!entry) throw new MoonwireError('not_found', `cannot find ${path}`);
  if (entry.isFile()) return { files: [path], cases: [] };
  const names = readdirSync(path, { recursive: true, encoding: 'utf8' })
    .filter((name) => !/(?:^|\/)(?:node_modules|\.[^/]+)\//.test(name))
    .sort();
  const files = names.filter((name) => name.endsWith('_test.lua'));
  const cases = names.filter((name) => basename(name) === 'expected.jsonl').map((name) => dirname(name));
  return { files: files.map((name) => join(path, name)), cases: cases.map((name) => join(path, name)) };
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
