import t from 'tap';
import { generate } from '../../../src/script/compile/generate/statements.js';
import type { Environment } from '../../../src/script/compile/runtime/environment.js';
import { Shape } from '../../../src/script/compile/runtime/shape.js';
import { LuaTable, NOTHING } from '../../../src/script/compile/runtime/table.js';
import { parse } from '../../../src/script/compile/syntax/parser.js';
import { compiledVm } from '../../support/compiled.js';
import { random } from '../../support/random.js';

const NAMES = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'valueOf',
  'hasOwnProperty',
  'process',
  'globalThis',
  'require',
  'eval',
  'Function',
  'arguments',
  'this',
  'await',
  'async',
  'yield',
  'let',
  'class',
  'new',
  'delete',
  'void',
  'undefined',
  'NaN',
  'Infinity',
  'import',
  'var',
  'const',
  'static',
  't1',
  'va',
  'it1',
  'i1',
  'B1',
  'G1',
];

const run = (source: string) => {
  const lines: string[] = [];
  compiledVm((line) => lines.push(line)).execute(Buffer.from(source, 'latin1'), 'hostile.lua');
  return lines.join('\n');
};

t.test("names of JavaScript's are names like others", async (t) => {
  for (const name of NAMES) {
    t.equal(
      run(
        `local ${name} = 1 local function f(${name}) ${name} = ${name} + 1 return ${name} end print(f(${name}), ${name})`,
      ),
      '2\t1',
      name,
    );
    t.equal(
      run(
        `local t = {} print(t.${name}, ("x").${name}, t["${name}"]) t.${name} = 5 print(t.${name}) for k in pairs(t) do print(k) end`,
      ),
      `nil\tnil\tnil\n5\n${name}`,
      name,
    );
    if (name !== 'require')
      t.equal(run(`print(${name}) ${name} = 7 print(${name})`), 'nil\n7', `global ${name}`);
    t.equal(
      run(`for ${name} = 1, 1 do print(${name}) end for ${name} in pairs { 9 } do print(${name}) end`),
      '1\n1',
      name,
    );
    t.equal(run(`::${name}:: print(({ ${name} = 3 }).${name})`), '3', `label ${name}`);
  }
  t.equal(Object.keys(Object.prototype).length, 0, 'nothing was added to JavaScript');
});

t.test("names of the runtime's are names like others", async (t) => {
  const { environment } = compiledVm() as unknown as { environment: Environment };
  const used =
    't.n = (t.n or 0) + #t a = a .. (t.n % 5 // 2 & 7) if x < 2 and t[x] ~= a then x = -x + math.abs(x) ^ 2 end ' +
    'for k, v in pairs { x, x = x, [x] = 2 } do a = a .. #tostring(k) + #tostring(v) end for i = x, x + 1 do a = a .. i end ' +
    'a = a .. ("q"):byte(1) .. select("#", (function(...) return ... end)(x, x))';
  const program = (name: string) =>
    `local function ${name}(x, t, a) ${used} if x > 9 then return x, a end return a end print(${name}(1, {}, ""), ${name}(20, { 1 }, "z"))`;
  const wanted = run(program('plain'));
  for (const name of Object.keys(environment)) {
    t.match(name, /^\$[A-Za-z]+$/);
    t.equal(run(program(name.slice(1))), wanted, name);
  }
});

t.test('strings of any bytes are literals', async (t) => {
  const all = Array.from({ length: 256 }, (_, i) => `\\x${i.toString(16).padStart(2, '0')}`).join('');
  t.equal(
    run(
      `local s = "${all}" local n = 0 for i = 1, #s do n = n + (s:byte(i) == i - 1 and 1 or 0) end print(n)`,
    ),
    '256',
  );
  for (const text of [
    '\\u{2028}',
    '\\u{2029}',
    '\\0',
    '*/ process.exit() /*',
    '$' + '{process}',
    '`',
    '\\"',
    '</script>',
    '\\r\\n//# sourceURL=x',
  ]) {
    t.equal(
      run(`print(#"${text}" > 0, ("${text}") == "${text}", ({ ["${text}"] = 1 })["${text}"])`),
      'true\ttrue\t1',
      text,
    );
  }
  t.equal(run('print(#[[\u0001\u0002*/`$' + '{1}]])'), '9', 'the marks of lines');
});

t.test('generated code names nothing but its runtime', async (t) => {
  const source = NAMES.map(
    (name) => `do local ${name} = { ${name} = "${name}" } ${name}.${name} = ${name} end`,
  ).join('\n');
  const code = generate(parse(source, 'x'), 'x').replace(/"(?:[^"\\]|\\.)*"/g, '""');
  const words = new Set(code.match(/[A-Za-z_$][\w$]*/g));
  const known =
    /^(?:\$\$?\w+|va|[trwk]\d+|shape|slots|slot|\w+_\d+|fuel|refill|function|return|const|let|if|typeof|undefined|new|use|strict)$/;
  t.same(
    [...words].filter((word) => !known.test(word)),
    [],
  );
});

t.test('a runaway stops as in Fengari, and no pcall outlives it', async (t) => {
  for (const source of [
    'while true do end',
    'for i = 1, math.huge do end',
    '::a:: goto a',
    'repeat until false',
    'while true do pcall(function() while true do end end) end',
    'local function f() pcall(f) pcall(f) end f()',
    'local s = "x" while true do s = s .. "y" end',
    'local t = {} while true do t[#t + 1] = {} end',
    'for _ in function() return 1 end do end',
    'string.rep("a", 1e5):find(("a-"):rep(20) .. "b")',
  ]) {
    t.throws(() => run(source), { code: 'budget_exceeded', message: /^budget exceeded: more than/ }, source);
  }
  t.throws(() => run('local s = "x" while true do s = s .. s end'), {
    message: /string longer than 1048576 bytes/,
  });
  t.throws(() => run('local function f() return 1 + f() end f()'), {
    message: /^hostile.lua:1: stack overflow/,
  });
});

t.test('what only a full VM has is refused with its place', async (t) => {
  for (const name of [
    'coroutine.wrap(print)',
    'load("return 1")',
    'debug.traceback()',
    '_ENV.x = 1',
    'package.loaded.x = 1',
  ]) {
    t.throws(
      () => run(`\nlocal x = ${name.includes('=') ? '1 ' : ''}${name}`),
      { name: 'SyntaxProblem', message: /^hostile.lua:2: '\w+' is not compiled$/ },
      name,
    );
  }
});

t.test('a table keeps what a plain twin keeps', async (t) => {
  const rng = random(t);
  const table = new LuaTable(Shape.root(), NOTHING, NOTHING);
  const twin = new Map<number, number>();
  for (let i = 0; i < 20_000; i++) {
    const key = rng.below(40) - 5;
    if (i % 3 === 0) {
      table.set(key, undefined);
      twin.delete(key);
    } else {
      table.set(key, i);
      twin.set(key, i);
    }
    if (table.get(key) !== twin.get(key)) t.fail(`key ${key} after ${i} changes`);
    if (table.length > 0 && !twin.has(table.length)) t.fail(`length ${table.length} is no border`);
  }
  const found = new Map<unknown, unknown>();
  for (let at = table.used(0); at >= 0; at = table.used(at + 1))
    found.set(table.keyAt(at), table.valueAt(at));
  t.strictSame([...found].sort(), [...twin].sort());
});
