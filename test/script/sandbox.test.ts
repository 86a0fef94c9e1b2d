import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { silentLogger } from '../../src/log.js';
import { ScriptError } from '../../src/script/script-error.js';
import { Vm } from '../../src/script/vm.js';
import { recordingLogger } from '../support/engine.js';

const folder = mkdtempSync(join(tmpdir(), 'moonwire-lua-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const root = join(folder, 'root');
mkdirSync(join(root, 'protocols'), { recursive: true });
const write = (name: string, text: string | Uint8Array) => writeFileSync(join(root, name), text);

const newVm = () => new Vm({ roots: [root], log: silentLogger });
const run = (source: string) => newVm().execute(source, '=test');

/** The error that running `source` ends in. */
function errorOf(source: string, vm = newVm()): ScriptError {
  try {
    vm.execute(source, '=test');
  } catch (error) {
    if (error instanceof ScriptError) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

t.test('nothing leads out of the sandbox', async (t) => {
  t.same(
    run(
      'return io, debug, dofile, loadfile, os.execute, os.remove, os.getenv, os.exit, string.dump, package.loadlib, package.path',
    ),
    new Array(11).fill(undefined),
  );
  t.match(run('return pcall(load, "\\27Lua")')[2], /binary chunk/);
  t.same(
    run('local f = load("x = 1; return _ENV", "c", "b", {}) return f'),
    [undefined],
    'mode b allows no text',
  );
  t.match(
    run('return pcall(string.format, "%s", setmetatable({}, {__tostring = function() return {} end}))')[1],
    /must return a string/,
  );
  t.same(run('return getmetatable("")'), [false]);
});

t.test('require finds modules below the roots only, by dots and slashes alike', async (t) => {
  write('protocols/a.lua', 'n = (n or 0) + 1 return { name = ... }');
  write('empty.lua', '');
  write('bad.lua', 'x = = 1');
  write('raises.lua', 'error("at load")');
  write('loop.lua', 'require "loop"');
  write('hash.lua', '#!/usr/bin/lua\nerror("here")');
  writeFileSync(join(folder, 'outside.lua'), 'return "outside"');
  symlinkSync(join(folder, 'outside.lua'), join(root, 'link.lua'));
  t.same(run('local a, b = require "protocols.a", require "protocols/a" return a == b, a.name, n'), [
    true,
    'protocols.a',
    1,
  ]);
  t.same(run('return require "empty", require("bit").band(6, 3)'), [true, 2]);
  for (const name of [
    '../outside',
    '..outside',
    '/etc/passwd',
    'link',
    'protocols',
    'a\\0b',
    '',
    'x/../protocols/a',
  ]) {
    t.match(errorOf(`require "${name}"`).message, /not found/, name);
  }
  t.match(errorOf('require "bad"').message, /error loading module 'bad'.*bad\.lua:1: unexpected symbol/s);
  t.match(errorOf('require "raises"').message, /raises\.lua:1: at load/);
  t.match(errorOf('require "loop"').message, /loop or previous error/);
  t.match(errorOf('require "hash"').message, /hash\.lua:2: here/, 'line numbers hold behind a #! line');
  t.same(
    run('return pcall(require, "raises"), pcall(require, "raises")').length,
    3,
    'a failed module can be tried again',
  );
});

t.test('errors name file and line and carry a traceback', async (t) => {
  const error = errorOf('local function f()\n error("boom") end\n\nf()');
  t.equal(error.message, 'test:2: boom');
  t.match(error.traceback, /test:2: in (local|upvalue|function).*\n\s+test:4: in main chunk/);
  t.equal(errorOf('local a\na.b = 1').message, "test:2: attempt to index a nil value (local 'a')");
  t.match(errorOf('x = = 1').message, /test:1: unexpected symbol near '='/);
  t.match(errorOf('error({ code = 1 })').message, /error object is a table value/);
  t.equal(errorOf('error(setmetatable({}, { __tostring = function() return "mine" end }))').message, 'mine');
  t.equal(errorOf('error()').message, 'nil');
  t.equal(errorOf('error(42, 0)').message, '42');
  t.match(
    errorOf('error(setmetatable({}, { __tostring = function() error("again") end }))').message,
    /table value/,
  );
});

t.test('what Lua 5.1 scripts use is there', async (t) => {
  t.same(
    run('return unpack({1, 2}), table.getn({1, 2, 3}), math.pow(2, 3), loadstring("return 4")()'),
    [1, 2, 3, 8, 4].slice(0, 1).concat([3, 8, 4]),
  );
});

const RUNAWAY: Record<string, string> = {
  'an endless loop': 'while true do end',
  'one inside pcall, again and again': 'while true do pcall(function() while true do end end) end',
  'the same inside a coroutine':
    'coroutine.wrap(function() while true do pcall(function() while true do end end) end end)()',
  'coroutines that each do little':
    'while true do coroutine.wrap(function() for i = 1, 900 do end end)() end',
  'an error handler that loops':
    'xpcall(function() while true do end end, function() while true do end end) while true do end',
  'a pattern that backtracks': 'return ("x"):rep(600):find(".-.-.-b")',
  'gsub with a greedy pattern': 'return (("a"):rep(5000)):gsub("a*a*a*a*b", "")',
  'a table filled without end': 'local t = {} while true do t[#t + 1] = { 1, 2, 3 } end',
  'table.move over a huge range': 'table.move({}, 1, 1e9, 2)',
  'table.insert at the front': 'local t = {} for i = 1, 1e6 do table.insert(t, 1, i) end',
  'a sort that never settles':
    'local t = {} for i = 1, 20000 do t[i] = i % 7 end while true do table.sort(t, function(a, b) return a > b end) end',
  'compiling source again and again': 'while true do load(("x = 1 "):rep(5000)) end',
  'comparing long strings': 'local a, b = ("x"):rep(2^20 - 1), ("x"):rep(2^20 - 1) while a == b do end',
  'an iterator that never ends': 'for k in function() return 1 end do end',
  'metamethods calling each other':
    'local t = setmetatable({}, { __index = function(t, k) return t[k + 1] end }) while true do pcall(function() return t[1] end) end',
};

for (const [name, source] of Object.entries(RUNAWAY)) {
  t.test(`${name} is stopped`, async (t) => {
    const vm = newVm();
    const error = errorOf(source, vm);
    t.equal(error.code, 'budget_exceeded', error.message);
    t.match(error.message, /^test:1: /);
    t.same(vm.execute('return 1 + 1', '=after'), [2], 'the next callback runs');
  });
}

t.test('what is too large fails without stopping the script', async (t) => {
  t.match(run('return pcall(string.rep, "x", 1e10)'), [false, /too large/]);
  t.match(run('return pcall(function() local s = "x" while true do s = s .. s end end)'), [
    false,
    /longer than/,
  ]);
  t.match(run('local t = {} for i = 1, 3000 do t[i] = ("x"):rep(1000) end return pcall(table.concat, t)'), [
    false,
    /too large/,
  ]);
  t.match(run('local function f() return 1 + f() end return pcall(f)'), [false, /stack overflow/]);
  t.match(run('return pcall(string.format, "%99999d", 1)'), [false, /invalid/]);
  t.match(run('return pcall(table.unpack, {}, 1, 1e6)'), [false, /too many results|stack overflow/]);
  t.match(run('local f = function() return ("("):rep(300) end return load("return " .. f() .. "1")'), [
    undefined,
    /limit|overflow|levels/,
  ]);
});

t.test('a callback has a budget of its own each time', async (t) => {
  const vm = newVm();
  vm.execute('function work() for i = 1, 200000 do end return true end', '=test');
  for (let i = 0; i < 10; i++) t.same(vm.invoke(vm.global('work'), []), [true]);
});

t.test('print and its like go to the log with their place', async (t) => {
  const log = recordingLogger();
  new Vm({ roots: [], log }).execute('print("a", 1, nil, true)\nprint("b\\195\\164")', '=test');
  t.match(log.lines, [
    { level: 'info', message: 'a\t1\tnil\ttrue', script: 'test:1' },
    { level: 'info', message: 'bä', script: 'test:2' },
  ]);
});
