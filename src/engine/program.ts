/** An entry script that is loaded and ready: its VM, its handlers and its protocol. */

import type { Logger } from '../log.js';
import type { BudgetLimits } from '../script/budget.js';
import type { LuaValue } from '../script/executor.js';
import { ScriptError } from '../script/script-error.js';
import { Vm } from '../script/vm.js';
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
}

/** Makes a VM with the budget and roots of these settings. */
export function createVm(settings: ScriptSettings, log: Logger): Vm {
  const budget: BudgetLimits = { instructions: settings.instructions, memoryBytes: settings.memoryBytes };
  return new Vm({ roots: [...settings.roots], log, budget });
}

export class Program {
  private readonly handlers = new Map<HandlerName, LuaValue>();
  readonly protocol: Protocol;

  /**
   * Loads `entry` into `vm`. `ready`: its messages come as they are (WebSocket, MQTT), not as frames of a protocol of its own.
   * Throws ScriptError when it does not compile, does not run or is no valid entry.
   */
  constructor(
    readonly vm: Vm,
    readonly entry: string,
    ready = false,
  ) {
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
      this.protocol = ready ? Protocol.forWebSocket(vm) : Protocol.fromScript(vm);
    } catch (error) {
      throw new ScriptError(`${source.name}: ${(error as Error).message}`);
    }
  }

  /** The handler of that name, if the script has one. */
  handler(name: HandlerName): LuaValue {
    return this.handlers.get(name);
  }
}
