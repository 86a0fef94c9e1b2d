import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Chunks } from '../../src/script/chunks.js';
import { api, compile, type LuaThread } from '../../src/script/fengari.js';
import { Loader } from '../../src/script/loader.js';
import { Vm } from '../../src/script/vm.js';
import { recordingLogger } from '../support/engine.js';

/** What a function is made of, without what names it in its VM. */
function codeOf(L: LuaThread): string {
  const { p } = L.stack[L.top - 1]!.value as { p: object };
  return JSON.stringify(p, (key, value) => {
    if (['id', 'cache', 'hash'].includes(key)) return undefined;
    // An instruction's 32 bits, as a number of either sign.
    if (key === 'code' && typeof value === 'number') return value >>> 0;
    if (key === 'instack') return Boolean(value);
    if (key === 'upvalues')
      return value.map(({ name, instack, idx }: Record<string, unknown>) => ({ name, instack, idx }));
    return value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : value;
  });
}

t.test('what was compiled before is what is compiled, names and lines included', async (t) => {
  const files = readdirSync('lua', { recursive: true, encoding: 'utf8' }).filter((name) =>
    /^protocols\/[^/]+\.lua$/.test(name),
  );
  t.ok(files.length > 10);
  const chunks = new Chunks();
  const loader = new Loader(['lua']);
  const L = api.newState();
  for (const file of files) {
    const source = loader.entry(join('lua', file));
    t.ok(compile(L, source.bytes, `@${source.name}`));
    const expected = codeOf(L);
    for (let i = 0; i < 3; i++) {
      t.ok(chunks.compile(L, source), file);
      t.equal(codeOf(L) === expected, true, `${file}, time ${i + 1}`);
    }
    api.setTop(L, 0);
  }
});

t.test('scripts that share their code share nothing else, and errors tell their lines', async (t) => {
  const folder = t.testdir({
    'main.lua':
      'local m = require "counter"\nfunction count() return m.count() end\nfunction fail() return m.fail() end',
    'counter.lua':
      'local n, big, text = 0, 4294967296.5, "\\0\\255"\nlocal m = {}\nfunction m.count() n = n + 1 return n, big, text end\nfunction m.fail() error("wrong") end\nreturn m',
    'bad.lua': 'x = = 1',
  });
  const chunks = new Chunks();
  const vms = Array.from({ length: 4 }, () => {
    const vm = new Vm({ roots: [folder], log: recordingLogger(), chunks });
    vm.load(join(folder, 'main.lua'));
    return vm;
  });
  for (const vm of vms) {
    t.same(vm.invoke(vm.global('count'), []), [1, 4294967296.5, '\0\xff']);
    t.throws(() => vm.invoke(vm.global('fail'), []), /counter\.lua:4: wrong/);
  }
  t.same(vms[3]!.invoke(vms[3]!.global('count'), [])[0], 2);
  for (let i = 0; i < 3; i++) {
    const vm = new Vm({ roots: [folder], log: recordingLogger(), chunks });
    t.throws(() => vm.load(join(folder, 'bad.lua')), { message: /bad\.lua:1: unexpected symbol/ });
  }
});
