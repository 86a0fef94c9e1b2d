import t from 'tap';
import { collector } from '../../src/engine/memory/collect.js';
import type { LuaValue } from '../../src/script/executor.js';
import { Vm } from '../../src/script/vm.js';
import { recordingLogger } from '../support/engine.js';

const MIB = 2 ** 20;

function vmWith(lua: string): { vm: Vm; results: LuaValue[] } {
  const vm = new Vm({
    roots: [],
    log: recordingLogger(),
    budget: { instructions: 1e9, memoryBytes: 2 ** 30 },
  });
  return { vm, results: vm.execute(lua, '@test.lua') };
}

/** What a script keeps, and how much the estimate may differ from it. */
const KEPT: Record<string, string> = {
  numbers: 'kept = {} for i = 1, 20000 do kept[i] = i end',
  records: 'kept = {} for i = 1, 5000 do kept[i] = { id = i, name = "n" .. i, valid = true } end',
  strings: 'kept = {} for i = 1, 10000 do kept[i] = string.rep("x", 100) end',
  'large strings': 'kept = {} for i = 1, 100 do kept[i] = string.rep("x", 100000) end',
  names: 'kept = {} for i = 1, 10000 do kept["device-" .. i] = true end',
  closures: 'kept = {} for i = 1, 10000 do kept[i] = function() return i end end',
  threads: 'kept = {} for i = 1, 3000 do kept[i] = coroutine.create(function() end) end',
  'an upvalue': 'local kept = {} for i = 1, 20000 do kept[i] = i end function on_message() return kept end',
  rings: 'for i = 1, 5000 do local a, b = {}, {} a.b = b b.a = a kept = { a, kept } end',
};

t.test('the estimate is near what V8 takes', async (t) => {
  const collect = collector();
  // None of them ends before the others are measured: what lies outside of the heap comes back late.
  const vms: Vm[] = [];
  for (const [what, lua] of Object.entries(KEPT)) {
    const { vm } = vmWith('');
    vms.push(vm);
    const empty = vm.size();
    const used = () => {
      collect();
      const { heapUsed, external } = process.memoryUsage();
      return heapUsed + external;
    };
    const before = used();
    vm.execute(lua, '@test.lua');
    const real = used() - before;
    const estimate = vm.size() - empty;
    t.ok(real > MIB / 2, `${what}: ${real} bytes`);
    const ratio = estimate / real;
    t.ok(ratio > 0.5 && ratio < 2, `${what}: ${ratio.toFixed(2)} of ${(real / MIB).toFixed(1)} MiB`);
  }
});
