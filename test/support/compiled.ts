/** Compiled code with the pure part of `mix` and lua/ as its only root: the twin of `offlineVm`. */

import { defaultCodecs } from '../../src/codecs/registry.js';
import { installOfflineMix } from '../../src/engine/mix/index.js';
import { Budget, DEFAULT_BUDGET } from '../../src/script/budget.js';
import { CompiledVm } from '../../src/script/compile/compiled-vm.js';
import { Loader } from '../../src/script/loader.js';

export function compiledVm(print: (line: string) => void = () => undefined): CompiledVm {
  const roots = ['lua'];
  const vm = new CompiledVm({ loader: new Loader(roots), budget: new Budget(DEFAULT_BUDGET), print });
  installOfflineMix(vm, { codecs: defaultCodecs(roots), frameBytes: 65_536 });
  return vm;
}
