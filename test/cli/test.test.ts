import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { testFunctions } from '../../src/cli/test-functions.js';
import { moonwire, startMoonwire } from '../support/cli.js';

const LINES = 'return require "protocols.line"';

t.test('tests pass and fail with file and line', async (t) => {
  const folder = t.testdir({
    'a_test.lua': [
      'test("passes", function() equal({ 1, { a = "b" } }, { 1, { a = "b" } }) end)',
      'test("differs", function()',
      '  equal({ list = { 1, 2 } }, { list = { 1, 3 } }, "lists")',
      'end)',
      'test("far", function() near(1, 1.1, 0.01) end)',
      'test("no match", function() match("abc", "^b") end)',
      'test("raises nothing", function() raises(function() end) end)',
      'test("raises otherwise", function() raises(function() error("this") end, "that") end)',
      'test("goes wrong", function() local x = nil; return x.y end)',
      'print("said")',
    ].join('\n'),
    'not_a_test_of.lua': 'error("must not run")',
  });
  const { code, stdout } = await moonwire(['test', folder]);
  t.equal(code, 1);
  t.match(stdout, /^TAP version 14\n# seed \d+/);
  t.match(stdout, /\nok 1 - .*a_test\.lua: passes\n/);
  t.match(
    stdout,
    /not ok 2 - .*differs\n.*\n.*\n.*a_test\.lua:3: lists: value\.list\[2\]: expected 3, got 2/,
  );
  t.match(stdout, /a_test\.lua:5: expected 1\.1 ± 0\.01, got 1\n/);
  t.match(stdout, /a_test\.lua:6: expected a match of "\^b", got "abc"/);
  t.match(stdout, /a_test\.lua:7: expected an error, none was raised/);
  t.match(stdout, /a_test\.lua:8: expected a match of "that", got ".*a_test\.lua:8: this"/);
  t.match(stdout, /not ok 7 - .*goes wrong\n.*\n.*\n.*a_test\.lua:9: attempt to index/);
  t.match(stdout, /\n# said\n/);
  t.match(stdout, /\n1\.\.7\n# 1 of 7 passed\n$/);
});

t.test('the examples of the test functions pass', async (t) => {
  const tests = testFunctions.map(({ name, example }) =>
    name === 'test' ? example : `test("${name}", function() ${example} end)`,
  );
  const folder = t.testdir({ 'examples_test.lua': tests.join('\n') });
  const { code, stdout } = await moonwire(['test', join(folder, 'examples_test.lua')]);
  t.equal(code, 0, stdout);
  t.match(stdout, new RegExp(`# ${testFunctions.length} of ${testFunctions.length} passed`));
});

t.test('case folders feed their input in every way', async (t) => {
  const input = 'aa 0d 0a # a line that is no UTF-8\n68 65\n6c 6c 6f 0d 0a\n';
  const expected = '{"type":"line","text":"aa"}\n{"type":"line","text":"hello"}\n';
  const splits =
    'return { name = "s", input = function(b) return b:length() end, decode = function(f) return f end }';
  const folder = t.testdir({
    good: { 'script.lua': LINES, 'input.hex': input, 'expected.jsonl': expected },
    other: { 'script.lua': LINES, 'input.hex': input, 'expected.jsonl': expected.replace('hello', 'hullo') },
    more: { 'script.lua': LINES, 'input.hex': input, 'expected.jsonl': expected.split('\n')[0]! },
    pieces: { 'script.lua': splits, 'input.hex': '61 62', 'expected.jsonl': '"ab"\n' },
    broken: { 'script.lua': LINES, 'input.hex': '6z\n', 'expected.jsonl': '{}\n' },
    entry: {
      'script.lua': 'protocol = require "protocols.line"',
      'input.hex': input,
      'expected.jsonl': expected,
    },
  });
  const { code, stdout } = await moonwire(['test', folder, '--seed', '7']);
  t.equal(code, 1);
  t.match(stdout, /# seed 7 /);
  t.match(stdout, /\nok \d - .*good\n/);
  t.match(stdout, /\nok \d - .*entry\n/);
  t.match(stdout, /other\/expected\.jsonl:2: message\.text: expected "hullo", got "hello"/);
  t.match(stdout, /more\/expected\.jsonl:1: 1 more messages came/);
  t.match(stdout, /pieces\/script\.lua: fed byte by byte: messages\[1\]: expected "ab", got "a"/);
  t.match(stdout, /broken\/input\.hex:1: not a line of hexadecimal bytes/);
  t.match(stdout, /\n1\.\.6\n/);
});

t.test('a test file that does not load has failed, nothing found too', async (t) => {
  const folder = t.testdir({ 'x_test.lua': 'test("never", function(', empty: {} });
  const broken = await moonwire(['test', folder]);
  t.equal(broken.code, 1);
  t.match(broken.stdout, /not ok 1 - .*x_test\.lua\n.*\n.*\n.*x_test\.lua:1: /);
  const nothing = await moonwire(['test', join(folder, 'empty')]);
  t.equal(nothing.code, 1);
  t.match(nothing.stdout, /\n1\.\.0 # no \*_test\.lua/);
  const nowhere = await moonwire(['test', join(folder, 'nowhere')]);
  t.equal(nowhere.code, 1);
  t.match(nowhere.stderr, /cannot find .*nowhere/);
  t.equal((await moonwire(['test', folder, '--seed', 'x'])).code, 2);
});

t.test('an endless test is stopped, and the next one runs', async (t) => {
  const folder = t.testdir({
    'x_test.lua': 'test("a", function() while true do end end)\ntest("b", function() end)',
  });
  const { code, stdout } = await moonwire(['test', folder]);
  t.equal(code, 1);
  t.match(stdout, /not ok 1 - .*: a\n.*instructions.*\nok 2 - .*: b\n/s);
});

t.test('--watch runs again after a save', async (t) => {
  const folder = t.testdir({ 'x_test.lua': 'test("a", function() end)\n' });
  const cli = startMoonwire(t, ['test', folder, '--watch']);
  await cli.until(/# 1 of 1 passed/);
  appendFileSync(join(folder, 'x_test.lua'), 'test("b", function() error("late") end)\n');
  await cli.until(/# 1 of 2 passed/);
  t.match(cli.stdout, /x_test\.lua:2: late/);
  t.equal((await cli.stop()).code, 1);
});
