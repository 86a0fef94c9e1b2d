import t from 'tap';
import type { LuaValue } from '../../../src/script/executor.js';
import { stringLibrary } from '../../../src/script/stdlib/string.js';
import { FakeExecutor } from '../../support/executor.js';

const library = stringLibrary();

function call(name: string, ...args: LuaValue[]): LuaValue[] {
  return new FakeExecutor().run(library[name], ...args);
}

t.test('find gives positions and captures', async (t) => {
  t.strictSame(call('find', 'key = value', '(%w+)%s*=%s*(%w+)'), [1, 11, 'key', 'value']);
  t.strictSame(call('find', 'a.b', '.', 1, true), [2, 2]);
  t.strictSame(call('find', 'aXb', 'X', -2), [2, 2]);
  t.strictSame(call('find', 'abc', 'b', 10), [undefined]);
  t.strictSame(call('find', '', ''), [1, 0]);
  t.strictSame(call('find', 'abc', '', 4), [4, 3]);
});

t.test('match: classes, sets, captures, balance, frontier, back-references', async (t) => {
  t.strictSame(call('match', '$GPGGA,123519', '^%$(%u+),(%d+)'), ['GPGGA', '123519']);
  t.strictSame(call('match', 'f(a(b)c)d', '%b()'), ['(a(b)c)']);
  t.strictSame(call('match', 'THE (quick) fox', '%f[%a]%a+%f[%A]'), ['THE']);
  t.strictSame(call('match', 'say "it\'s"', '(["\'])(.-)%1'), ['"', "it's"]);
  t.strictSame(call('match', 'hello', '()ll()'), [3, 5]);
  t.strictSame(call('match', 'a-b', '[a%-]+'), ['a-']);
  t.strictSame(call('match', '\0\x01\xff', '[\x01-\xff]+'), ['\x01\xff']);
  t.strictSame(call('match', 'x^y', '^'), [''], 'an anchor alone matches the start');
  t.strictSame(call('match', '2026-07-27', '(%d+)-(%d+)-(%d+)'), ['2026', '07', '27']);
});

t.test('gmatch goes through all matches', async (t) => {
  const ex = new FakeExecutor();
  const all = (subject: string, pattern: string) => {
    const [next] = ex.run(library.gmatch, subject, pattern);
    const found: LuaValue[][] = [];
    for (let results = ex.run(next); results[0] !== undefined; results = ex.run(next)) found.push(results);
    return found;
  };
  t.strictSame(all('a=1, b=2', '(%w+)=(%w+)'), [
    ['a', '1'],
    ['b', '2'],
  ]);
  t.strictSame(all('abc', ''), [[''], [''], [''], ['']]);
  t.strictSame(all('ab^c', '^%w'), [['^c']], 'an anchor is an ordinary character here');
  t.strictSame(all('aab', 'a*'), [['aa'], ['']]);
});

t.test('gsub replaces by string, table and function', async (t) => {
  t.strictSame(call('gsub', 'hello world', 'o', '0', 1), ['hell0 world', 1]);
  t.strictSame(call('gsub', 'abc', '%w', '%0%0'), ['aabbcc', 3]);
  t.strictSame(call('gsub', 'abc', '', '-'), ['-a-b-c-', 4]);
  t.strictSame(call('gsub', 'abc', 'x', '-'), ['abc', 0]);
  t.strictSame(
    call('gsub', '5', '%d', (_, [digit]) => Number(digit) + 0.5),
    ['5.5', 1],
  );
  t.throws(() => call('gsub', 'a', 'a', '%2'), { message: 'invalid capture index %2' });
  t.throws(() => call('gsub', 'a', 'a', '%x'), { message: "invalid use of '%' in replacement string" });
});

t.test('mistakes in patterns are raised when matching reaches them', async (t) => {
  const mistakes: [pattern: string, message: string][] = [
    ['a%', "malformed pattern (ends with '%')"],
    ['[a', "malformed pattern (missing ']')"],
    ['[]', "malformed pattern (missing ']')"],
    ['%f', "missing '[' after '%f' in pattern"],
    ['%bx', "malformed pattern (missing arguments to '%b')"],
    ['(a', 'unfinished capture'],
    ['a)', 'invalid pattern capture'],
    ['%1', 'invalid capture index %1'],
    ['(%1)', 'invalid capture index %1'],
    ['()'.repeat(33), 'too many captures'],
  ];
  for (const [pattern, message] of mistakes) {
    t.throws(() => call('match', 'a', pattern), { message }, pattern);
  }
  t.strictSame(call('match', 'abc', 'x['), [undefined], 'never reached');
});

t.test('recursion is bounded as in Lua', async (t) => {
  t.throws(() => call('match', 'a'.repeat(300), 'a?'.repeat(250)), { message: 'pattern too complex' });
  t.strictSame(call('match', 'a'.repeat(300), '(a)'.repeat(32)).length, 32);
  t.throws(() => call('match', 'a', `${'a'.repeat(40_000)}%d`), { message: /pattern too long/ });
});

t.test('a pattern that backtracks without end is stopped by the budget', async (t) => {
  const attacks: [subject: string, pattern: string][] = [
    ['x'.repeat(600), '.-.-.-b'],
    ['a'.repeat(1000), '.*.*.*.*b'],
    ['a'.repeat(1000), `${'a?'.repeat(60)}b`],
    ['('.repeat(100_000), '%b()'],
    ['a'.repeat(100_000), '(a*)%1b'],
  ];
  for (const [subject, pattern] of attacks) {
    const ex = new FakeExecutor(1_000_000);
    t.throws(() => ex.run(library.find, subject, pattern), { message: 'budget exceeded' }, pattern);
  }
});

t.test('every search is charged in proportion to its work', async (t) => {
  const ex = new FakeExecutor();
  ex.run(library.find, 'a'.repeat(100_000), 'b', 1, true);
  t.ok(ex.steps >= 100_000 / 16, `plain search: ${ex.steps} steps`);
  ex.steps = 0;
  // Where a plain search meets long half-matches at every byte, V8's takes the product of both lengths.
  const half = 'a'.repeat(5000);
  ex.run(library.find, 'a'.repeat(100_000), `${half}b${half}`, 1, true);
  t.ok(ex.steps >= 1_000_000, `half-matches: ${ex.steps} steps`);
  ex.steps = 0;
  ex.run(library.gsub, 'a'.repeat(10_000), 'a', 'b');
  t.ok(ex.steps >= 10_000, `gsub: ${ex.steps} steps`);
  ex.steps = 0;
  ex.run(library.find, 'a', '[%w_]'.repeat(100));
  t.ok(ex.steps >= 500, `compiling: ${ex.steps} steps`);
});

t.test('results are bounded', async (t) => {
  const big = 'a'.repeat(1024 * 1024);
  t.throws(() => call('gsub', big, 'a', 'bb'), { message: 'resulting string too large' });
  t.throws(() => call('gsub', big, 'a+', '%0%0'), { message: 'resulting string too large' });
});

t.test('a function that gsub calls may itself match', async (t) => {
  const ex = new FakeExecutor();
  const inner = (_: unknown, [text]: LuaValue[]) => ex.run(library.gsub, text as string, '(.)', '<%1>')[0];
  t.strictSame(ex.run(library.gsub, 'ab cd', '%w+', inner), ['<a><b> <c><d>', 2]);
});
