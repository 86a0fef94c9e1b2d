/** An engine in a process that can be replaced by another one, its connections kept: by SIGUSR2 or by the API. */

import type { RestartHost, RestartStatus } from '../api/host.js';
import type { ServiceNotifier } from '../boards/service-notifier.js';
import type { Change } from '../config/changes.js';
import type { Config } from '../config/schema.js';
import { MoonwireError, messageOf } from '../errors.js';
import { Predecessor } from '../handover/predecessor.js';
import type { Successor } from '../handover/successor.js';
import type { Logger } from '../log.js';
import {
  type ConfigSource,
  type Continuation,
  type Controls,
  checkEngine,
  type GatewayOptions,
  type Replaceable,
  standBy,
  workerCount,
} from '../main.js';

/** How it starts. */
export type Start = (
  config: Config,
  log: Logger,
  options: GatewayOptions,
  continuation: Continuation,
) => Promise<Replaceable>;

/** A process that died has its ports for a moment longer: how often, and after how many milliseconds to try again. */
const TRIES = 20;
const AGAIN_MS = 250;

export class Restartable implements RestartHost, Controls {
  private gateway: Replaceable | undefined;
  private asked: (() => void) | undefined;
  /** Another process is about to take over. */
  private leaving = false;
  private failure: string | undefined;
  private arrived: RestartStatus['arrived'];

  constructor(
    private readonly begins: Start,
    private readonly log: Logger,
    private readonly source: ConfigSource,
  ) {}

  /** Whether what runs in it is. */
  get alive(): boolean {
    return this.gateway?.alive() ?? true;
  }

  get status(): RestartStatus {
    const { failure, arrived, asked } = this;
    return {
      pid: process.pid,
      underWay: asked === undefined,
      ...(failure !== undefined && { failure }),
      ...(arrived && { arrived }),
    };
  }

  begin(): boolean {
    const { asked } = this;
    this.asked = undefined;
    asked?.();
    return asked !== undefined;
  }

  /** Starts it. A `successor` takes over, and tells the service manager so. Rejects as its start does. */
  async start(config: Config, service: ServiceNotifier, successor?: Successor): Promise<void> {
    this.gateway = successor ? await this.succeed(successor, config, service) : await this.open(config, {});
  }

  get config(): Config {
    return this.running.config;
  }

  async reconfigure(config: Config): Promise<Change[]> {
    this.checkQuiet();
    return this.running.reconfigure(config);
  }

  async reload(): Promise<Change[]> {
    this.checkQuiet();
    return this.running.reload();
  }

  stop(): Promise<void> {
    return this.running.stop();
  }

  private open(config: Config, continuation: Continuation): Promise<Replaceable> {
    const { source } = this;
    return this.begins(config, this.log, { source }, { ...continuation, restart: this });
  }

  private checkQuiet(): void {
    if (this.leaving)
      throw new MoonwireError('conflict', 'another process is about to take over, and reads the file itself');
  }

  /**
   * Restarts whenever that is asked for. Resolves with the signal that ends the process, or with undefined when another
   * process has taken its place.
   */
  async until(stopping: Promise<NodeJS.Signals>): Promise<NodeJS.Signals | undefined> {
    for (;;) {
      const asked = new Promise<undefined>((resolve) => {
        this.asked = () => resolve(undefined);
      });
      const signal = await Promise.race([stopping, asked]);
      if (signal) return signal;
      this.leaving = true;
      if (await this.replace(stopping)) return undefined;
      this.leaving = false;
    }
  }

  private get running(): Replaceable {
    return this.gateway!;
  }

  private async replace(stopping: Promise<NodeJS.Signals>): Promise<boolean> {
    this.failure = undefined;
    if (process.pid === 1) {
      this.failure =
        'this is the first process of a container, which would end with it: run it below an init (docker run --init)';
      this.log.error('not restarted', { reason: this.failure });
      return false;
    }
    const { running } = this;
    const estate = running.estate(async () => {
      this.gateway = await this.open(running.config, running.continuation);
    });
    const predecessor = new Predecessor(estate, workerCount(running.config.engine), this.log);
    try {
      await predecessor.handOver();
    } catch (error) {
      this.failure = messageOf(error);
      this.log.error('the restart failed; this process goes on', { reason: this.failure });
      return false;
    }
    // What was meant to end this process while it handed over ends the other one.
    const signal = await Promise.race([stopping, Promise.resolve(undefined)]);
    if (signal) predecessor.kill(signal);
    return true;
  }

  private async succeed(
    successor: Successor,
    config: Config,
    service: ServiceNotifier,
  ): Promise<Replaceable> {
    const { log } = this;
    const workers = workerCount(config.engine);
    successor.check(workers);
    const { problems } = checkEngine(config, log);
    if (problems.length > 0) throw new MoonwireError('invalid_argument', problems.join('\n'));
    const standby = workers > 0 ? await standBy(config, successor.lifeline) : undefined;
    const inheritance = await successor.inherit(log, standby?.route);
    if (!inheritance) {
      await standby?.end();
      return this.openSoon(config);
    }
    const gateway = await this.open(config, { inheritance, standby });
    this.gateway = gateway;
    this.arrived = await successor.takeOver(gateway.heir(inheritance), () => service.ready(true), log);
    return gateway;
  }

  private async openSoon(config: Config): Promise<Replaceable> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.open(config, {});
      } catch (error) {
        if (tries === TRIES || !(error instanceof MoonwireError) || error.code !== 'conflict') throw error;
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      }
    }
  }
}
