/** A script to be driven without an engine: for `moonwire decode`, `replay`, `test` and `scan`. */

import type { CodecRegistry } from '../codecs/registry.js';
import type { Logger } from '../log.js';
import type { BudgetLimits } from '../script/budget.js';
import type { LuaValue } from '../script/executor.js';
import { ModuleWatch } from '../script/module-watch.js';
import type { ProtocolHost } from '../script/protocol-host.js';
import { Vm } from '../script/vm.js';
import { CompiledProtocol, compiledFile } from './compiled-protocol.js';
import { installOfflineMix, type MixTarget } from './mix/index.js';
import { Protocol } from './protocol.js';

export interface OfflineOptions {
  /** Folders of `require`. */
  roots: string[];
  codecs: CodecRegistry;
  /** Longest frame in bytes, for protocols that name no `max`. */
  frameBytes: number;
  log: Logger;
  budget?: Partial<BudgetLimits>;
}

export class OfflineScript {
  readonly vm: Vm;

  constructor(private readonly options: OfflineOptions) {
    this.vm = new Vm(options);
    this.install(this.vm);
    this.vm.modules = new ModuleWatch(this.vm.main);
  }

  /**
   * The protocol that a file, or a module by its name, returns, or else defines as an entry script. `variant`: the
   * table within a module's that is preferred. Throws ScriptError.
   */
  load(name: string, isFile: boolean, variant?: string): Protocol {
    const { vm, install } = this;
    const choose = (host: ProtocolHost, table: LuaValue): LuaValue =>
      (variant === undefined ? undefined : host.field(table, variant)) ?? table;
    const returned = isFile ? vm.load(name).results[0] : vm.require(name);
    if (vm.type(returned) !== 'table') {
      return orInterpreted(
        () => CompiledProtocol.of(vm, vm.global('protocol'), install).protocol,
        () => Protocol.fromScript(vm),
      );
    }
    if (!isFile) return this.protocolOf(choose(vm, returned));
    return orInterpreted(
      () => compiledFile(vm, name, install, choose),
      () => Protocol.fromModule(vm, choose(vm, returned)),
    );
  }

  /** The protocol of a module's table, compiled where it can be. Throws when it is none. */
  protocolOf(module: LuaValue): Protocol {
    const { vm, install } = this;
    return orInterpreted(
      () => CompiledProtocol.of(vm, module, install).protocol,
      () => Protocol.fromModule(vm, module),
    );
  }

  private readonly install = (target: MixTarget): void => installOfflineMix(target, this.options);
}

function orInterpreted(compiled: () => Protocol, interpreted: () => Protocol): Protocol {
  try {
    return compiled();
  } catch {
    // What is wrong with the module itself is found again, and told, here.
    return interpreted();
  }
}
