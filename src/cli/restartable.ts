/** An engine in a process that can be replaced by another one, its connections kept: by SIGUSR2 or by the API. */

import type { RestartHost, RestartStatus } from '../api/host.js';
import type { ServiceNotifier } from '../boards/service-notifier.js';
import type { Config } from '../config/schema.js';
import { MoonwireError, messageOf } from '../errors.js';
import { Predecessor } from '../handover/predecessor.js';
import { Successor } from '../handover/successor.js';
import type { Logger } from '../log.js';
import { type Continuation, checkEngine, type Gateway, type GatewayOptions } from '../main.js';

/** How an engine starts. */
type Start = (
  config: Config,
  log: Logger,
  options: GatewayOptions,
  continuation: Continuation,
) => Promise<Gateway>;

/** A process that died has its ports for a moment longer: how often, and after how many milliseconds to try again. */
const TRIES = 20;
const AGAIN_MS = 250;

export class Restartable implements RestartHost {
  private gateway: Gateway | undefined;
  private open!: (continuation: Continuation) => Promise<Gateway>;
  private asked: (() => void) | undefined;
  private failure: string | undefined;
  private arrived: RestartStatus['arrived'];

  constructor(
    private readonly begins: Start,
    private readonly log: Logger,
  ) {}

  /** Whether its engine is. */
  get alive(): boolean {
    return this.gateway?.engine.alive ?? true;
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

  /** Starts it; in a process that is to take over, with what that takes over. Rejects as its start does. */
  async start(config: Config, options: GatewayOptions, service: ServiceNotifier): Promise<void> {
    this.open = (continuation) => this.begins(config, this.log, options, { ...continuation, restart: this });
    const successor = Successor.here(this.log);
    this.gateway = successor ? await this.succeed(successor, config, service) : await this.open({});
    process.on('SIGUSR2', () => this.begin());
  }

  /** Stops it; see `Process`. */
  stop(): Promise<void> {
    return this.running.stop();
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
      if (await this.replace(stopping)) return undefined;
    }
  }

  private get running(): Gateway {
    return this.gateway!;
  }

  private async replace(stopping: Promise<NodeJS.Signals>): Promise<boolean> {
    this.failure = undefined;
    const { engine } = this.running;
    const predecessor = new Predecessor(
      {
        engine,
        suspend: () => this.running.suspend(),
        resume: async () => {
          this.gateway = await this.open({ engine });
        },
      },
      this.log,
    );
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

  private async succeed(successor: Successor, config: Config, service: ServiceNotifier): Promise<Gateway> {
    try {
      const { problems } = checkEngine(config, this.log);
      if (problems.length > 0) throw new MoonwireError('invalid_argument', problems.join('\n'));
      const inheritance = await successor.inherit();
      if (!inheritance) return await this.openSoon();
      const gateway = await this.open({ inheritance });
      this.gateway = gateway;
      this.arrived = await successor.takeOver(gateway.engine, inheritance, () => service.ready(true));
      return gateway;
    } catch (error) {
      await successor.fail(error);
      throw error;
    }
  }

  private async openSoon(): Promise<Gateway> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.open({});
      } catch (error) {
        if (tries === TRIES || !(error instanceof MoonwireError) || error.code !== 'conflict') throw error;
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      }
    }
  }
}
