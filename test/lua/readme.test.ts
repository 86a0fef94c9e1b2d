import { readFileSync } from 'node:fs';
import t from 'tap';
import type { LuaRef } from '../../src/script/executor.js';
import { unhex } from '../support/framing.js';
import { offlineVm, ProtocolUnderTest } from '../support/protocol.js';

const blocks = (file: string) =>
  [...readFileSync(file, 'utf8').matchAll(/```lua\n(.*?)```/gs)].map((match) => match[1]!);

t.test('the protocol in ten lines reads the bytes beside it', async (t) => {
  const vm = offlineVm();
  const [source] = blocks('lua/README.md');
  const [module] = vm.execute(source!, '@README');
  const probe = new ProtocolUnderTest(module as LuaRef, undefined, vm);
  const hex = /--hex ([0-9a-f]+)/.exec(readFileSync('lua/README.md', 'utf8'))![1]!;
  t.strictSame(probe.feed([unhex(hex)]), {
    messages: [{ type: 'reading', temperature: 21.5 }],
    replies: ['06'],
    errors: [],
    discarded: 0,
    reasons: [],
  });
});

t.test('the samples of protocols/README.md load', async (t) => {
  const samples = blocks('lua/protocols/README.md');
  t.equal(samples.length, 2);
  for (const source of samples) {
    const vm = offlineVm();
    vm.execute(source, '@README');
    t.equal(vm.type(vm.global('protocol')), 'table');
    t.equal(vm.type(vm.global('on_message')), 'function');
  }
});
