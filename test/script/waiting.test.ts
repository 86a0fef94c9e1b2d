import t from 'tap';
import { silentLogger } from '../../src/log.js';
import type { ApiFunction } from '../../src/script/api.js';
import { Failure } from '../../src/script/api.js';
import { Vm } from '../../src/script/vm.js';

const later = <T>(value: T): Promise<T> => new Promise((resolve) => setImmediate(resolve, value));

const functions: ApiFunction<null>[] = [
  {
    name: 'mix.echo',
    doc: 'Gives back its argument later.',
    params: [{ name: 'v', type: 'value' }],
    returns: [{ name: 'v', type: 'value' }],
    waits: true,
    example: '',
    run: (_, v) => later(v),
  },
  {
    name: 'mix.fail',
    doc: 'Fails later.',
    params: [],
    returns: [{ name: 'v', type: 'value' }],
    waits: true,
    example: '',
    run: () => later(new Failure('no luck')),
  },
];

function vmWith(source: string): Vm {
  const vm = new Vm({ roots: [], log: silentLogger });
  vm.define(functions, null);
  vm.execute(source, '=test');
  return vm;
}

const call = async (source: string) => {
  const vm = vmWith(`function f() ${source} end`);
  return vm.run(vm.global('f'), []);
};

t.test('a handler waits through coroutines, protected calls, iterators and metamethods', async (t) => {
  t.same(await call('return mix.echo(1), mix.echo("two")'), [1, 'two']);
  t.same(await call('return pcall(mix.echo, 3)'), [true, 3]);
  t.same(await call('return pcall(function() mix.echo(1) error("after", 0) end)'), [false, 'after']);
  t.same(
    await call(
      'return select(2, xpcall(function() mix.echo(1) error("x", 0) end, function(m) return m .. "!" end))',
    ),
    ['x!'],
  );
  t.same(
    await call(
      'local co = coroutine.create(function(a) local b = mix.echo(a) local c = coroutine.yield(b + 1) return mix.echo(c) end) ' +
        'local _, x = coroutine.resume(co, 1) local _, y = coroutine.resume(co, 10) return x, y, coroutine.status(co)',
    ),
    [2, 10, 'dead'],
  );
  t.same(
    await call(
      'local gen = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(mix.echo(i)) end end) ' +
        'local s = 0 for v in gen do s = s + v end return s',
    ),
    [6],
  );
  t.same(
    await call(
      'local t = setmetatable({}, { __index = function(_, k) return mix.echo(k) end }) return t.key',
    ),
    ['key'],
  );
  t.same(
    await call(
      'local inner = function() return mix.echo(7) end ' +
        'local outer = coroutine.wrap(function() return coroutine.wrap(inner)() end) return outer()',
    ),
    [7],
  );
});

t.test('a failure is returned, not raised', async (t) => {
  t.same(await call('return mix.fail()'), [undefined, 'no luck']);
});

t.test('an error after a wait has its place and traceback', async (t) => {
  await t.rejects(call('mix.echo(1)\nerror("late")'), { message: 'test:2: late', traceback: /in function/ });
});

t.test('waiting is refused where it is not allowed, by name', async (t) => {
  const vm = vmWith('function f() return mix.echo(1) end');
  t.throws(() => vm.invoke(vm.global('f'), []), /mix\.echo waits, which is not allowed here/);
  await t.rejects(call('return ("x"):gsub("x", function() return mix.echo("y") end)'), /not allowed here/);
  await t.rejects(
    call('local t = {2, 1} table.sort(t, function(a, b) return mix.echo(a) < b end)'),
    /not allowed here/,
  );
});

t.test('scripts cannot resume what waits, nor yield out of a handler', async (t) => {
  await t.rejects(call('coroutine.yield(1)'), /outside a coroutine/);
  const vm = vmWith(`
    function first() me = coroutine.running() return mix.echo("safe") end
    function second() return coroutine.resume(me, "forged") end
    function third() co = coroutine.create(function() return mix.echo("inner") end) return coroutine.resume(co) end
    function fourth() return coroutine.resume(co, "forged") end`);
  const first = vm.run(vm.global('first'), []);
  t.same(vm.run(vm.global('second'), []), [false, 'cannot resume a coroutine that waits']);
  t.same(await first, ['safe']);
  const third = vm.run(vm.global('third'), []);
  t.same(vm.run(vm.global('fourth'), []), [false, 'cannot resume a coroutine that waits']);
  t.same(await third, [true, 'inner']);
});

t.test('a runaway after a wait is stopped, and others go on', async (t) => {
  const vm = vmWith(
    'function bad() mix.echo(1) while true do end end function good() return mix.echo("fine") end',
  );
  const bad = vm.run(vm.global('bad'), []);
  const good = vm.run(vm.global('good'), []);
  await t.rejects(Promise.resolve(bad), { code: 'budget_exceeded' });
  t.same(await good, ['fine']);
});

t.test('many handlers wait at once and end in their own order', async (t) => {
  const vm = vmWith('function f(n) local s = 0 for i = 1, n do s = s + mix.echo(i) end return s end');
  const f = vm.global('f');
  const results = await Promise.all(Array.from({ length: 200 }, (_, n) => vm.run(f, [n % 10])));
  t.same(
    results.map(([sum]) => sum),
    Array.from({ length: 200 }, (_, n) => ((n % 10) * ((n % 10) + 1)) / 2),
  );
});
