/** A process of Moonwire: what runs in it, what may be put in place of the usual, and how it begins and ends. */

import type { RestartHost } from '../api/host.js';
import type { Api } from '../api/server.js';
import type { Center } from '../center/center.js';
import type { CodecRegistry } from '../codecs/registry.js';
import type { Change } from '../config/changes.js';
import type { Config } from '../config/schema.js';
import type { Engine, EngineParts, Report } from '../engine/engine.js';
import type { Estate, Heir } from '../engine/handover/estate.js';
import type { Inheritance } from '../engine/handover/saved.js';
import { messageOf } from '../errors.js';
import type { Logger } from '../log.js';
import type { Sink } from '../sinks/sink.js';
import { openStore, type Store } from '../store/store.js';
import type { Uplink } from '../uplink/uplink.js';
import type { Standby } from '../workers/standby.js';
import { type ConfigSource, Reconfiguration } from './reconfigure.js';
import type { Crew } from './run-workers.js';

/** What a process is changed and ended by. */
export interface Controls {
  /** What is in effect now. */
  readonly config: Config;
  /**
   * Applies another configuration while everything runs: what did not change is not touched, and what takes a restart
   * is left as it was; both are told. Rejects with MoonwireError, everything being as before, when it cannot be.
   */
  reconfigure(config: Config): Promise<Change[]>;
  /** Reads the file again, if the configuration comes from one, and applies it as {@link reconfigure} does. */
  reload(): Promise<Change[]>;
  /** Drains, closes and flushes everything; never fails, and ends within seconds. */
  stop(): Promise<void>;
}

/** What every process of Moonwire runs. */
export interface Process extends Controls {
  readonly store: Store;
  readonly api: Api;
}

/** What another process can take over. */
export interface Replaceable extends Controls {
  /** Whether it does its work. */
  alive(): boolean;
  /** It, for another process. `resume` begins it again, with its {@link continuation}, after it was suspended. */
  estate(resume: () => Promise<void>): Estate;
  /** It, that was begun from what another process handed over. */
  heir(inheritance: Inheritance<unknown>): Heir;
  /** What is kept while it is suspended. */
  readonly continuation: Continuation;
}

/** A running engine. */
export interface Gateway extends Process, Replaceable {
  readonly engine: Engine;
  /** The link to the centre; undefined for an engine alone. */
  readonly uplink: Uplink | undefined;
}

/** A running centre. */
export interface CenterProcess extends Process {
  readonly center: Center;
}

/** What an embedding program may put in place of the usual. */
export interface GatewayOptions {
  /** Codecs for `mix.codec`; default: those Moonwire brings. */
  codecs?: CodecRegistry;
  /** Takes what is reported, in place of the outbox. Of a durable report the promise is waited for. */
  report?(report: Report): void | Promise<void>;
  /** Given the engine before it starts. */
  built?(engine: Engine): void;
  /** Told of what is reported, whoever takes it; must return at once. */
  reported?(report: Report): void;
  /** Sinks of the program by name, in place of what the configuration says these are. */
  sinks?: ReadonlyMap<string, Sink>;
  /** Keeps all state in memory only, not in `store.path`. */
  memory?: boolean;
  /** The file that the configuration is read from again; without it only {@link Process.reconfigure} changes it. */
  source?: ConfigSource;
}

/** What goes on, where a process does not begin anew. */
export interface Continuation {
  /** The engine of this process, after it was suspended. It still rests. */
  readonly engine?: Engine | undefined;
  /** What another process handed over, of the same kind. All rests until it is told to go on. */
  readonly inheritance?: Inheritance<unknown> | undefined;
  /** The workers of this process, after it was suspended. */
  readonly crew?: Crew | undefined;
  /** Processes of workers that take over what those of another primary hand over. */
  readonly standby?: Standby | undefined;
  /** Restarts the process when the API is asked to. */
  readonly restart?: RestartHost | undefined;
}

/** What the parts of one process are built from. */
export interface Setting {
  readonly config: Config;
  readonly log: Logger;
  readonly options: GatewayOptions;
  readonly store: Store;
  readonly continuation: Continuation;
  /** Changes what is begun. */
  readonly reconfiguration: Reconfiguration;
  /** Ends what was begun. */
  readonly closing: Closing;
  /** Where connections of servers come from, in a worker. */
  readonly sockets?: EngineParts['sockets'];
}

/** Closes what was opened, the last first; never fails. */
export class Closing {
  private readonly steps: (() => Promise<unknown> | undefined)[] = [];

  constructor(private readonly log: Logger) {}

  add(step: () => Promise<unknown> | undefined): void {
    this.steps.push(step);
  }

  readonly run = async (): Promise<void> => {
    for (let step = this.steps.pop(); step; step = this.steps.pop()) {
      try {
        await step();
      } catch (error) {
        this.log.error('stopping failed', { reason: messageOf(error) });
      }
    }
  };
}

/** Runs `start` without a store; closes what was opened when that fails. */
export async function guarded<T>(
  config: Config,
  log: Logger,
  options: GatewayOptions,
  start: (setting: Omit<Setting, 'store'>) => Promise<T>,
  continuation: Continuation = {},
): Promise<T> {
  const closing = new Closing(log);
  const reconfiguration = new Reconfiguration(config, log.child({ at: 'config' }), options.source);
  try {
    return await start({ config, log, options, continuation, reconfiguration, closing });
  } catch (error) {
    await closing.run();
    throw error;
  }
}

/** Opens the store and runs `start`; closes what was opened when that fails. */
export function opening<T>(
  config: Config,
  log: Logger,
  options: GatewayOptions,
  start: (setting: Setting) => Promise<T>,
  continuation: Continuation = {},
): Promise<T> {
  const withStore = async (setting: Omit<Setting, 'store'>): Promise<T> => {
    const { path, maxBytes } = config.store;
    const store = await openStore({ ...(options.memory !== true && { path }), maxBytes, log });
    setting.closing.add(() => store.close());
    return start({ ...setting, store });
  };
  return guarded(config, log, options, withStore, continuation);
}

/** How what runs is changed and ended from outside. */
export function controls({ closing, reconfiguration }: Omit<Setting, 'store'>): Controls {
  return {
    get config() {
      return reconfiguration.config;
    },
    reconfigure: (config) => reconfiguration.apply(config),
    reload: () => reconfiguration.reload(),
    stop: closing.run,
  };
}
