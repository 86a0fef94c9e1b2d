/** A process of Moonwire: what runs in it, what may be put in place of the usual, and how it begins and ends. */

import type { RestartHost } from '../api/host.js';
import type { Api } from '../api/server.js';
import type { Center } from '../center/center.js';
import type { CodecRegistry } from '../codecs/registry.js';
import type { Config } from '../config/schema.js';
import type { Engine, Report } from '../engine/engine.js';
import type { Inheritance } from '../engine/handover/saved.js';
import { messageOf } from '../errors.js';
import type { Logger } from '../log.js';
import { openStore, type Store } from '../store/store.js';
import type { Uplink } from '../uplink/uplink.js';

/** What every process of Moonwire runs. */
export interface Process {
  readonly store: Store;
  readonly api: Api;
  /** Drains, closes and flushes everything; never fails, and ends within seconds. */
  stop(): Promise<void>;
}

/** A running engine. */
export interface Gateway extends Process {
  readonly engine: Engine;
  /** The link to the centre; undefined for an engine alone. */
  readonly uplink: Uplink | undefined;
  /** Stops everything but the engine, which another process takes over, or this one once more. Never fails. */
  suspend(): Promise<void>;
}

/** A running centre. */
export interface CenterProcess extends Process {
  readonly center: Center;
}

/** What an embedding program may put in place of the usual. */
export interface GatewayOptions {
  /** Codecs for `mix.codec`; default: those Moonwire brings. */
  codecs?: CodecRegistry;
  /** Takes what scripts report, in place of the outbox. Of a durable report the promise is waited for. */
  report?(report: Report): void | Promise<void>;
  /** `access` as it is now, a new object when it changed; default: that of the configuration. */
  access?(): Config['access'];
}

/** What goes on, where a process does not begin anew. */
export interface Continuation {
  /** The engine of this process, after `suspend`. It still rests. */
  readonly engine?: Engine | undefined;
  /** What another process handed over. The engine rests until it is told to go on. */
  readonly inheritance?: Inheritance | undefined;
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
  /** Ends what was begun. */
  readonly closing: Closing;
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

/** Opens the store and runs `start`; closes what was opened when that fails. */
export async function opening<T>(
  config: Config,
  log: Logger,
  options: GatewayOptions,
  continuation: Continuation,
  start: (setting: Setting) => Promise<T>,
): Promise<T> {
  const closing = new Closing(log);
  try {
    const store = await openStore({ path: config.store.path, maxBytes: config.store.maxBytes, log });
    closing.add(() => store.close());
    return await start({ config, log, options, store, continuation, closing });
  } catch (error) {
    await closing.run();
    throw error;
  }
}
