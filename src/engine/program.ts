/** An entry script that is loaded and ready: its VM, its handlers and its protocol. */

import type { Logger } from '../log.js';
import type { BudgetLimits } from '../script/budget.js';
import type { LuaValue } from '../script/executor.js';
import { ModuleWatch } from '../script/module-watch.js';
import { ScriptError } from '../script/script-error.js';
import { Vm } from '../script/vm.js';
import { CompiledProtocol, type InstallMix, reasonOf } from './compiled-protocol.js';
import { Protocol } from './protocol.js';

/** The handlers that may wait (design §3.1). */
const HANDLERS = [
  'init',
  'on_connect',
  'on_handshake',
  'on_authenticate',
  'on_authorize',
  'on_message',
  'on_request',
  'on_poll',
  'on_close',
  'on_command',
] as const;
/** One of them. */
export type HandlerName = (typeof HANDLERS)[number];

/** How scripts are run. */
export interface ScriptSettings {
  roots: readonly string[];
  instructions: number;
  memoryBytes: number;
  /** Whether protocol modules are compiled to JavaScript where they can be. */
  compile: 'auto' | 'off';
}

/** Makes a VM with the budget and roots of these settings. */
export function createVm(settings: ScriptSettings, log: Logger): Vm {
  const budget: BudgetLimits = { instructions: settings.instructions, memoryBytes: settings.memoryBytes };
  return new Vm({ roots: [...settings.roots], log, budget });
}

export class Program {
  private readonly handlers = new Map<HandlerName, LuaValue>();
  private twin: CompiledProtocol | undefined;
  private interpreted: Protocol;
  private typed: Protocol | undefined;
  /** Why its protocol module is not compiled; undefined when it is, when there is no module, and when nothing is compiled. */
  notCompiled: string | undefined;

  /**
   * Loads `entry` into `vm`. `ready`: its messages come as they are (WebSocket, MQTT), not as frames of a protocol of its own.
   * `install`: puts `mix` into a compiled protocol module; without it none is compiled. Throws ScriptError when the
   * entry does not compile, does not run or is no valid one.
   */
  constructor(
    readonly vm: Vm,
    readonly entry: string,
    ready = false,
    install?: InstallMix,
  ) {
    const compiles = install !== undefined && !ready;
    if (compiles) vm.modules = new ModuleWatch(vm.main);
    const { source } = vm.load(entry);
    for (const name of HANDLERS) {
      const handler = vm.global(name);
      if (handler === undefined) continue;
      if (vm.type(handler) !== 'function') {
        throw new ScriptError(`${source.name}: ${name} must be a function, is a ${vm.type(handler)}`);
      }
      this.handlers.set(name, handler);
    }
    try {
      const protocol = Protocol.fromScript(vm);
      this.interpreted = ready ? protocol.forWebSocket() : protocol;
    } catch (error) {
      throw new ScriptError(`${source.name}: ${(error as Error).message}`);
    }
    const module = vm.global('protocol');
    if (compiles && module !== undefined) {
      this.unlessImpossible(() => {
        this.twin = CompiledProtocol.of(vm, module, install);
      });
    }
  }

  /** Its protocol. */
  get protocol(): Protocol {
    return this.twin?.protocol ?? this.interpreted;
  }

  /** What its protocol is for the messages of a WebSocket. Asked for once it is {@link initialized}. */
  get messages(): Protocol {
    this.typed ??= this.protocol.forWebSocket();
    return this.typed;
  }

  /** `init` has run: what it has set in modules counts for compiled ones too, what is set later does not. */
  initialized(): void {
    this.unlessImpossible(() => this.twin?.takeSettings());
    this.vm.modules = undefined;
  }

  private unlessImpossible(compile: () => void): void {
    try {
      compile();
    } catch (error) {
      this.twin = undefined;
      this.notCompiled = reasonOf(error);
    }
  }

  /** The handler of that name, if the script has one. */
  handler(name: HandlerName): LuaValue {
    return this.handlers.get(name);
  }
}
