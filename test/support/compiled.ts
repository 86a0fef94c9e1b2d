/** Compiled code with the pure part of `mix` and lua/ as its only root: the twin of `offlineVm`. */

import { defaultCodecs } from '../../src/codecs/registry.js';
import { bufferMethods } from '../../src/engine/receive-buffer.js';
import { CompiledVm } from '../../src/script/compile/compiled-vm.js';
import { codecFunctions, frameFunctions, pureMix, structMethods } from '../../src/script/mix/index.js';

export function compiledVm(print: (line: string) => void = () => undefined): CompiledVm {
  const roots = ['lua'];
  const vm = new CompiledVm({ roots, print });
  const host = { codecs: defaultCodecs(roots), frameBytes: 65_536 };
  vm.define(pureMix, undefined);
  vm.define(structMethods, undefined);
  vm.define(bufferMethods, undefined);
  vm.define(codecFunctions, host);
  vm.define(frameFunctions, host);
  return vm;
}
