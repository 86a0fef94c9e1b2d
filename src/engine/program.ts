/** An entry script that is loaded and ready: its VM, its handlers and its protocol. */

import type { Logger } from '../log.js';
import type { BudgetLimits } from '../script/budget.js';
import type { Chunks } from '../script/chunks.js';
import { HostObject, type LuaValue } from '../script/executor.js';
import { ModuleWatch } from '../script/module-watch.js';
import { ScriptError } from '../script/script-error.js';
import { Vm } from '../script/vm.js';
import type { Connection } from '../transports/connection.js';
import type { Client } from './client.js';
import { CompiledProtocol, type InstallMix, reasonOf } from './compiled-protocol.js';
import { CLIENT_KIND, Conn, Stranger } from './conn.js';
import { Protocol, type ProtocolPeer } from './protocol.js';
import type { Trial } from './reload/trial.js';
import type { Timer, Timers } from './timers.js';

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
  'on_unload',
  'on_reload',
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
  /** Seconds in which errors of new code put the old code in charge again; 0: none. */
  probation: number;
}

/** Makes a VM with the budget and roots of these settings. */
export function createVm(settings: ScriptSettings, log: Logger, chunks: Chunks): Vm {
  const budget: BudgetLimits = { instructions: settings.instructions, memoryBytes: settings.memoryBytes };
  return new Vm({ roots: [...settings.roots], log, budget, chunks });
}

/** What a program is made of. */
export interface ProgramParts {
  readonly vm: Vm;
  readonly timers: Timers;
  readonly entry: string;
  /** Its messages come as they are (WebSocket, MQTT), not as frames of a protocol of its own. */
  readonly ready: boolean;
  /** It is not in charge yet, and may never be. */
  readonly trial?: Trial | undefined;
  /** Puts `mix` into the VM. */
  install(program: Program): void;
  /** Puts `mix` into a compiled protocol module; without it none is compiled. */
  readonly installModule?: InstallMix | undefined;
}

export class Program {
  readonly vm: Vm;
  readonly timers: Timers;
  readonly entry: string;
  /** Until it takes over from other code, what it does outside is held back here. */
  trial: Trial | undefined;
  /** What its handlers and its protocol were called for, and how often they failed. */
  readonly tally = { calls: 0, failures: 0 };
  /** Timers whose turns newer code has taken. */
  replaced: ReadonlySet<Timer> = new Set();
  /** When it took over, in Unix seconds. */
  since = Date.now() / 1000;
  private readonly handlers = new Map<HandlerName, LuaValue>();
  /** Its side of clients that other code serves. */
  private readonly strangers = new WeakMap<Client, Stranger>();
  private readonly installModule: InstallMix | undefined;
  private twin: CompiledProtocol | undefined;
  private interpreted: Protocol;
  private typed: Protocol | undefined;
  /** Why its protocol module is not compiled; undefined when it is, when there is no module, and when nothing is compiled. */
  notCompiled: string | undefined;

  /** Loads the entry. Throws ScriptError when it does not compile, does not run or is no valid one. */
  constructor({ vm, timers, entry, ready, trial, install, installModule }: ProgramParts) {
    this.vm = vm;
    this.timers = timers;
    this.entry = entry;
    this.trial = trial;
    install(this);
    if (installModule && !ready) {
      this.installModule = installModule;
      vm.modules = new ModuleWatch(vm.main);
    }
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
  }

  /** Compiles its protocol module, if it has one and that can be; takes about as long as loading it did. */
  compile(): void {
    const { vm, installModule } = this;
    const module = vm.global('protocol');
    if (!installModule || module === undefined) return;
    this.unlessImpossible(() => {
      this.twin = CompiledProtocol.of(vm, module, installModule);
    });
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

  /** What the frames and messages of a connection mean. */
  protocolFor({ speaks }: Connection): Protocol {
    return speaks === 'websocket' ? this.messages : this.protocol;
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

  /** A client as this program has it: its session and its `conn` are values of this VM. */
  peerOf(client: Client): ProtocolPeer {
    if (client.program === this) return client;
    let stranger = this.strangers.get(client);
    if (!stranger) {
      stranger = new Stranger(client, this.connOf(client), undefined);
      this.strangers.set(client, stranger);
    }
    return stranger;
  }

  /** A client goes over to other code: what it was here stays for what still runs here. */
  leave(client: Client, session: LuaValue, conn: HostObject<Conn> | undefined): void {
    this.strangers.set(client, new Stranger(client, conn ?? this.connOf(client), session));
  }

  /** Whether its script has an object that stands for this client. */
  knows(client: Client): boolean {
    return this.strangers.has(client);
  }

  /** The object that stands for a client which this program did not serve before, or the one that did. */
  connOf(client: Client): HostObject<Conn> {
    return this.strangers.get(client)?.conn() ?? new HostObject(CLIENT_KIND, new Conn(client, this));
  }

  /** The handler of that name, if the script has one. */
  handler(name: HandlerName): LuaValue {
    return this.handlers.get(name);
  }
}
