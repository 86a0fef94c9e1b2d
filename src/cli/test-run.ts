/** Runs one test file, or one case folder. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { defaultCodecs } from '../codecs/registry.js';
import { OfflineScript } from '../engine/offline-script.js';
import { MoonwireError, messageOf } from '../errors.js';
import type { Logger } from '../log.js';
import { silentLogger } from '../log.js';
import { DEFAULT_BUDGET } from '../script/budget.js';
import { ScriptError } from '../script/script-error.js';
import { readCapture } from './hex-lines.js';
import { scriptRoots } from './roots.js';
import { bytesAsHex, firstDifference } from './test-difference.js';
import { feedEveryWay, MAX_FRAME, seededRandom } from './test-feed.js';
import { type TestHost, testFunctions } from './test-functions.js';

/** How a test went; `problem` is absent when it passed, else begins with file and line. */
export interface TestResult {
  name: string;
  problem?: string;
}

/** A test feeds its bytes several times over: so many times a callback's budget. */
const BUDGET_FACTOR = 100;

/** Runs a test file. `comment` gets what it prints. A file that does not load is one failed test. */
export function runFile(
  file: string,
  seed: number,
  report: (result: TestResult) => void,
  comment: (text: string) => void,
): void {
  const say = (message: string) => comment(message.replaceAll('\n', '\n# '));
  const script = testScript(file, { ...silentLogger, debug: say, info: say, warn: say, error: say });
  const { vm } = script;
  const host: TestHost = { script, random: seededRandom(seed), tests: [] };
  vm.define(testFunctions, host);
  const attempt = (name: string, work: () => void): void => {
    try {
      work();
      if (name !== file) report({ name });
    } catch (error) {
      report({ name, problem: describe(error) });
    }
  };
  attempt(file, () => vm.load(file));
  for (const { name, fn } of host.tests) attempt(`${file}: ${name}`, () => vm.invoke(fn, []));
}

/**
 * Runs a case folder: the lines of `input.hex` are the pieces of one connection (or its datagrams), `script.lua` is
 * or returns the protocol, `expected.jsonl` has one message a line, as `moonwire decode` prints them.
 */
export function runCase(folder: string, seed: number): TestResult {
  try {
    return { name: folder, problem: caseProblem(folder, seed) };
  } catch (error) {
    return { name: folder, problem: describe(error) };
  }
}

function caseProblem(folder: string, seed: number): string | undefined {
  const script = join(folder, 'script.lua');
  const expected = readExpected(join(folder, 'expected.jsonl'));
  const protocol = testScript(script, silentLogger).load(script, true);
  const chunks = readCapture(join(folder, 'input.hex'));
  const { outcome, difference } = feedEveryWay(protocol, chunks, seededRandom(seed));
  for (const [i, { place, message }] of expected.entries()) {
    const actual: unknown = JSON.parse(JSON.stringify(outcome.messages[i] ?? null, bytesAsHex));
    const problem = firstDifference(actual, message, 'message');
    if (problem !== undefined) return `${place}: ${problem}${outcome.error ? ` (${outcome.error})` : ''}`;
  }
  const surplus = outcome.messages.length - expected.length;
  if (surplus > 0) return `${folder}/expected.jsonl:${expected.length}: ${surplus} more messages came`;
  return difference === undefined ? undefined : `${script}: ${difference}`;
}

function readExpected(file: string): { place: string; message: unknown }[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .flatMap((line, i) => {
      if (line.trim() === '') return [];
      const place = `${file}:${i + 1}`;
      try {
        return [{ place, message: JSON.parse(line) as unknown }];
      } catch (error) {
        throw new MoonwireError('invalid_argument', `${place}: not a line of JSON: ${messageOf(error)}`);
      }
    });
}

function testScript(file: string, log: Logger): OfflineScript {
  const instructions = DEFAULT_BUDGET.instructions * BUDGET_FACTOR;
  return new OfflineScript({
    roots: scriptRoots(file),
    codecs: defaultCodecs(),
    frameBytes: MAX_FRAME,
    log,
    budget: { instructions },
  });
}

function describe(error: unknown): string {
  const message = messageOf(error);
  return error instanceof ScriptError && error.traceback !== '' ? `${message}\n${error.traceback}` : message;
}
