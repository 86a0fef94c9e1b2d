/** What `*_test.lua` files may call beside `mix`: tests and assertions, as data. */

import type { OfflineScript } from '../engine/offline-script.js';
import type { Protocol } from '../engine/protocol.js';
import { messageOf } from '../errors.js';
import { type ApiFunction, optional, rest, value } from '../script/api.js';
import { LuaError, type LuaValue } from '../script/executor.js';
import type { ApiSection } from '../script/reference.js';
import type { Vm } from '../script/vm.js';
import { firstDifference } from './test-difference.js';
import { feedEveryWay, type RandomSource } from './test-feed.js';

/** What these functions work on: one test file. */
export interface TestHost {
  script: OfflineScript;
  random: RandomSource;
  /** Tests in the order they were named; they run once the file was loaded. */
  tests: { name: string; fn: LuaValue }[];
}

/** Most tests in a file. */
const MAX_TESTS = 10_000;

const WHAT = optional('what', 'text', 'said in front of the failure');

function fail(problem: string | undefined, what?: string): void {
  // Messages in Lua are bytes.
  const text = what === undefined ? problem : `${what}: ${problem}`;
  if (problem !== undefined) throw new LuaError(Buffer.from(text!).toString('latin1'));
}

/** Defined in test files only. */
export const testFunctions: ApiFunction<TestHost>[] = [
  {
    name: 'test',
    doc: 'Names a test. Tests run one after the other once the file was loaded, each on a budget of its own; one that raises has failed.',
    params: [value('name', 'text'), value('fn', 'function', 'called without arguments; must not wait')],
    returns: [],
    example: 'test("numbers add up", function() equal(1 + 1, 2) end)',
    run: ({ tests }, name: string, fn: LuaValue) => {
      if (tests.length >= MAX_TESTS) throw new LuaError(`more than ${MAX_TESTS} tests in a file`);
      tests.push({ name, fn });
    },
  },
  {
    name: 'equal',
    doc: 'Raises, naming the first place that differs, unless both values are equal: tables by what they hold, numbers exactly.',
    params: [optional('actual', 'value'), optional('expected', 'value'), WHAT],
    returns: [],
    example: 'equal({ type = "login", id = 7 }, { id = 7, type = "login" })',
    run: (_, actual: unknown, expected: unknown, what?: string) =>
      fail(firstDifference(actual, expected), what),
  },
  {
    name: 'near',
    doc: 'Raises unless two numbers differ by at most a tolerance.',
    params: [
      value('actual', 'number'),
      value('expected', 'number'),
      optional('tolerance', 'number', '1e-6 by default'),
      WHAT,
    ],
    returns: [],
    example: 'near(0.1 + 0.2, 0.3)\nnear(22.5731, 22.573, 0.001, "latitude")',
    run: (_, actual: number, expected: number, tolerance = 1e-6, what?: string) => {
      if (Math.abs(actual - expected) <= tolerance) return;
      fail(`expected ${expected} ± ${tolerance}, got ${actual}`, what);
    },
  },
  {
    name: 'match',
    doc: 'Raises unless a Lua pattern is found in a text.',
    params: [value('text', 'raw', 'a string'), value('pattern', 'string'), WHAT],
    returns: [],
    example: 'match("login of 358899051021316", "of %d+$")',
    run: ({ script: { vm } }, text: LuaValue, pattern: string, what?: string) =>
      fail(mismatch(vm, text, pattern), what),
  },
  {
    name: 'raises',
    doc: 'Raises unless a function raises, and with a message in which a Lua pattern is found, where one is given.',
    params: [value('fn', 'function'), optional('pattern', 'string'), WHAT],
    returns: [],
    example: 'raises(function() error("no such device") end, "no such")',
    run: ({ script: { vm } }, fn: LuaValue, pattern?: string, what?: string) => {
      const [ok, message] = vm.call(vm.global('pcall'), [fn]);
      if (ok === true) fail('expected an error, none was raised', what);
      else if (pattern !== undefined) fail(mismatch(vm, message, pattern), what);
    },
  },
  {
    name: 'feed',
    doc:
      'Feeds a protocol module the bytes of one connection, in the given pieces, and returns what came of it: ' +
      '`messages`, `replies` (lists), `discarded` (bytes) and `error` (the first one, or nil). Feeds them byte by byte ' +
      'and randomly split too, and raises when messages or replies differ then. Without framing each piece is a datagram.',
    params: [value('module', 'raw', "the module's table"), rest('bytes', 'bytes')],
    returns: [value('result', 'value')],
    example:
      'local result = feed(require "protocols.line", "one\\r\\ntwo\\r\\n")\n' +
      'equal(result.messages[2], { type = "line", text = "two" })\nequal(result.discarded, 0)',
    run: ({ script, random }, module: LuaValue, ...chunks: Uint8Array[]) => {
      const { outcome, difference } = feedEveryWay(protocolOf(script, module), chunks, random);
      fail(difference);
      return outcome;
    },
  },
];

/** As a chapter of the reference. */
export const testSection: ApiSection = {
  title: 'Tests: `moonwire test`',
  where: 'files named `*_test.lua`, of which `moonwire test` runs all it finds',
  entries: testFunctions,
};

function protocolOf(script: OfflineScript, module: LuaValue): Protocol {
  try {
    return script.protocolOf(module);
  } catch (error) {
    throw new LuaError(messageOf(error));
  }
}

function mismatch(vm: Vm, text: LuaValue, pattern: string): string | undefined {
  if (typeof text !== 'string') return `expected a string, got a ${vm.type(text)}`;
  const [at] = vm.call(vm.field(vm.global('string'), 'find'), [text, pattern]);
  return at === undefined ? `expected a match of "${pattern}", got "${text}"` : undefined;
}
