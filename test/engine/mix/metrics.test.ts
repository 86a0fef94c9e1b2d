import t from 'tap';
import { MAX_SERIES } from '../../../src/engine/script-metrics.js';
import { startLua } from '../../support/run-lua.js';

t.test('counters add up, gauges are set, the series of one name stay together', async (t) => {
  const { run, engine } = await startLua(t);
  await run(`
    mix.metrics.counter("logins")
    mix.metrics.gauge("level", 0.5, { tank = "north", full = false, number = 7 })
    mix.metrics.counter("logins", { model = "GT06", site = "a" })
    mix.metrics.counter("logins", 2.5)
    mix.metrics.counter("logins", { site = "a", model = "GT06" }, 4)
    mix.metrics.counter("logins", {}, 1)
    mix.metrics.gauge("level", -1, { number = 7, tank = "north", full = false })`);
  t.same(
    [...engine.services.metrics.series()],
    [
      { name: 'logins', kind: 'counter', labels: {}, value: 4.5 },
      { name: 'logins', kind: 'counter', labels: { model: 'GT06', site: 'a' }, value: 5 },
      { name: 'level', kind: 'gauge', labels: { full: 'false', number: '7', tank: 'north' }, value: -1 },
    ],
  );
});

t.test('what a device may have caused fails, what the script does wrong raises', async (t) => {
  const { run, engine } = await startLua(t);
  const failures: [string, RegExp][] = [
    ['mix.metrics.counter("n", -1)', /^invalid_argument: a counter rises by 0 or more, got -1/],
    ['mix.metrics.counter("n", 0/0)', /^invalid_argument/],
    ['mix.metrics.counter("n", math.huge)', /^invalid_argument/],
    ['mix.metrics.counter("n", { id = "\\255\\254" })', /^invalid_argument: label id must be text/],
    ['mix.metrics.counter("n", { id = string.rep("x", 257) })', /^invalid_argument: label id/],
    ['mix.metrics.counter("n", { id = {} })', /^invalid_argument: label id/],
  ];
  for (const [call, expected] of failures) {
    const [ok, error] = await run(`return ${call}`);
    t.equal(ok, undefined, call);
    t.match(error, expected, call);
  }
  const raises: [string, RegExp][] = [
    ['mix.metrics.counter("9lives")', /"9lives" is not a metric's name/],
    ['mix.metrics.counter("a b")', /is not a metric's name/],
    ['mix.metrics.counter("a\\n")', /is not a metric's name/],
    ['mix.metrics.gauge("", 1)', /is not a metric's name/],
    ['mix.metrics.gauge("g", 1, { ["a-b"] = 1 })', /"a-b" is not a label's name/],
    ['mix.metrics.gauge("g", 1, { __name__ = 1 })', /"__name__" is not a label's name/],
    ['mix.metrics.gauge("g", 1, "x")', /labels must be a table/],
    ['mix.metrics.gauge("g", 1, { "x" })', /labels must be a table/],
    ['mix.metrics.gauge("g", "full")', /number expected/],
    [
      'local l = {} for i = 1, 17 do l["l" .. i] = i end mix.metrics.gauge("g", 1, l)',
      /at most 16 labels are allowed/,
    ],
  ];
  for (const [call, expected] of raises) await t.rejects(run(call), { message: expected }, call);
  t.same([...engine.services.metrics.series()], [], 'and none of them leaves a trace');
});

t.test('a name is a counter or a gauge, not both', async (t) => {
  const { run } = await startLua(t);
  t.same(await run('mix.metrics.counter("n") return mix.metrics.gauge("n", 1)'), [
    undefined,
    'conflict: n is a counter already',
  ]);
});

t.test('series are bounded; those that are there go on', async (t) => {
  const { run, engine } = await startLua(t);
  const [ok, error] = await run(`
    for i = 1, ${MAX_SERIES} do assert(mix.metrics.counter("n", { i = i })) end
    return mix.metrics.counter("other")`);
  t.equal(ok, undefined);
  t.match(error, /^queue_full: an engine's scripts have at most 1000 series/);
  t.same(await run('return mix.metrics.counter("n", { i = 1 })'), [true]);
  t.equal([...engine.services.metrics.series()].length, MAX_SERIES);
  t.equal(engine.services.metrics.refused, 1);
});
