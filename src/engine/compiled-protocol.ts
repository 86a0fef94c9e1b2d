/**
 * Runs the protocol module of an entry script compiled, beside the VM of the script: a second copy of the module, which
 * is like the first as long as the script has only used it.
 */

import { messageOf } from '../errors.js';
import { CompiledVm } from '../script/compile/compiled-vm.js';
import { Crossing } from '../script/crossing.js';
import type { LuaValue } from '../script/executor.js';
import type { ProtocolHost } from '../script/protocol-host.js';
import type { Vm } from '../script/vm.js';
import { Protocol } from './protocol.js';

/** Puts `mix` into compiled code. */
export type InstallMix = (compiled: CompiledVm) => void;

export class CompiledProtocol {
  private constructor(
    private readonly vm: Vm,
    private readonly compiled: CompiledVm,
    readonly protocol: Protocol,
  ) {}

  /**
   * The compiled copy of a module's table, or of one within it, which `vm` has watched since it was made. Throws an
   * Error that says why there is none.
   */
  static of(vm: Vm, table: LuaValue, install: InstallMix): CompiledProtocol {
    const place = vm.type(table) === 'table' ? vm.modules?.placeOf(table) : undefined;
    if (place === undefined) throw new Error('it is not a module as require returned it');
    const compiled = createCompiled(vm, install);
    let copy = compiled.require(place.module);
    for (const key of place.path) copy = compiled.index(copy, key);
    const twin = new CompiledProtocol(
      vm,
      compiled,
      Protocol.fromModule(compiled, copy, new Crossing(vm, compiled)),
    );
    twin.takeSettings();
    return twin;
  }

  /**
   * Sets in the copy the numbers, strings and booleans that the script has set in its modules, as a time zone. Throws
   * an Error when it has changed more than that.
   */
  takeSettings(): void {
    for (const { module, path, value } of this.vm.modules?.settings(this.compiled.modules) ?? []) {
      let table = this.compiled.require(module);
      for (const key of path.slice(0, -1)) table = this.compiled.index(table, key);
      this.compiled.setIndex(table, path.at(-1), value);
    }
  }
}

/**
 * The protocol that a module's file returns, compiled; `choose` picks it from the table. Throws an Error that says why
 * there is none.
 */
export function compiledFile(
  vm: Vm,
  file: string,
  install: InstallMix,
  choose: (host: ProtocolHost, table: LuaValue) => LuaValue,
): Protocol {
  const compiled = createCompiled(vm, install);
  const [table] = compiled.load(file).results;
  return Protocol.fromModule(compiled, choose(compiled, table), new Crossing(vm, compiled));
}

/** Compiled code that counts on a VM's budget, logs where it logs and finds the modules that it finds. */
function createCompiled(vm: Vm, install: InstallMix): CompiledVm {
  const compiled = new CompiledVm({
    loader: vm.loader,
    budget: vm.budget,
    print: (text, level, place) =>
      vm.log[level](Buffer.from(text, 'latin1').toString('utf8'), { script: place }),
  });
  install(compiled);
  return compiled;
}

/** Why something is not compiled, in a line. */
export function reasonOf(error: unknown): string {
  return messageOf(error).split('\n', 1)[0]!;
}
