import t from 'tap';
import type { LogFields } from '../../src/log.js';
import { silentLogger } from '../../src/log.js';
import { Vm } from '../../src/script/vm.js';
import { offlineVm } from '../support/protocol.js';
import { random } from '../support/random.js';

t.test('calendar.epoch is what Date says, and nil for what is no date', async (t) => {
  const vm = offlineVm();
  const epoch = vm.field(vm.require('utils.calendar'), 'epoch');
  const rng = random(t);
  for (let i = 0; i < 3000; i++) {
    const parts = [
      1 + rng.below(9999),
      rng.below(14),
      rng.below(33),
      rng.below(26),
      rng.below(61),
      rng.below(61),
    ];
    const [year, month, day, hour, minute, second] = parts as [
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    const date = new Date(0);
    date.setUTCFullYear(year, month - 1, day);
    date.setUTCHours(hour, minute, second);
    const exists =
      date.getUTCFullYear() === year &&
      date.getUTCMonth() === month - 1 &&
      date.getUTCDate() === day &&
      date.getUTCHours() === hour &&
      date.getUTCMinutes() === minute &&
      date.getUTCSeconds() === second;
    t.equal(vm.invoke(epoch, parts)[0], exists ? date.getTime() / 1000 : undefined, parts.join(' '));
  }
});

t.test('registers refuse what they do not know, and short bytes', async (t) => {
  const run = (source: string) =>
    offlineVm().execute(`local r = require "utils.registers" ${source}`, '@test');
  t.strictSame(run('return r.count("float64"), r.count("uint16"), r.count("int8_low")'), [4, 1, 1]);
  t.strictSame(run('return r.number("\\0\\1\\0", { type = "uint32" })'), [undefined, 'uint32 needs 4 bytes']);
  t.strictSame(run('return r.number(r.bytes{ 1, 2, 65535 }, { type = "int16" }, 5)'), [-1]);
  t.strictSame(run('return r.number("\\x7c\\0", { type = "float16" })'), [Number.POSITIVE_INFINITY]);
  t.strictSame(run('return r.number("\\0\\1", { type = "float16" })'), [2 ** -24]);
  t.throws(() => run('r.number("\\0\\1", { type = "uint17" })'), { message: /no register type uint17/ });
  for (const order of ['AC', 'AA', 'ABC', 'ab', '']) {
    t.throws(
      () => run(`r.number("\\0\\1", { order = "${order}" })`),
      { message: /no byte order for 2 bytes/ },
      order,
    );
  }
});

t.test('prettyprint makes print show tables', async (t) => {
  const lines: string[] = [];
  const log = { ...silentLogger, info: (message: string, _fields?: LogFields) => void lines.push(message) };
  const vm = new Vm({ roots: ['lua'], log });
  const printed = (source: string) => {
    lines.length = 0;
    vm.execute(`require "utils.prettyprint"\n${source}`, '@test');
    return lines.join('\n');
  };
  t.equal(printed('print({ type = "login", cells = { 1, 2.5 } })'), '{ cells = { 1, 2.5 }, type = "login" }');
  t.equal(
    printed('print({}, nil, "plain", { [0] = true, ["a b"] = "c\\"d" })'),
    '{}\tnil\tplain\t{ [0] = true, ["a b"] = "c\\"d" }',
  );
  t.equal(printed('local t = { 1 } t.me = t print(t)'), '{ 1, me = { itself } }');
  t.match(printed('local t = {} for i = 1, 1000 do t[i] = i end print(t)'), /^\{ 1, 2, .* 200, … \}$/);
  t.match(printed('local t = {} for i = 1, 50 do t = { t } end print(t)'), /\{ … \}/);
  t.equal(printed('print(setmetatable({}, { __tostring = function() return "mine" end }))'), 'mine');
  t.equal(printed('print({ [1] = 1, [2] = nil, [4] = 4, [true] = 1 })').length > 0, true);
});
