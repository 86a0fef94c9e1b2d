/** The workers of one primary, and the connections that are handed to them. */

import type { Config, ServerConfig } from '../config/schema.js';
import type { Logger, LogLevel } from '../log.js';
import { Acceptor } from './acceptor.js';
import { balanceBy } from './balance.js';
import type { PassedSocket } from './child.js';
import type { FromWorker, WorkerSetup } from './messages.js';
import { Worker, type WorkerOwner } from './worker.js';

/** How often workers are asked for a sign of life, in milliseconds. */
const CHECK_MS = 1000;
/** Connections that may wait for a worker to be there. */
const MAX_WAITING = 1024;

/** What workers are made of. */
export interface WorkersOptions {
  /** `engine` of the configuration. */
  readonly engine: Pick<Config['engine'], 'servers' | 'balance' | 'workerTimeout'>;
  /** The program's file, which is run with the argument `worker`. */
  readonly program: string;
  /** Names of the workers. */
  readonly names: readonly string[];
  /** What each runs; `accepted` is added. */
  setupOf(name: string): Omit<WorkerSetup, 'accepted'>;
  /** Lines of less weight in the logs of workers are left out; asked again and again. */
  logLevel(): LogLevel;
  readonly log: Logger;
}

/** Told of what workers say. */
export interface WorkersOwner {
  /** It serves: for the first time, or again. */
  ready(worker: Worker): void;
  /** Its process is gone. */
  lost(worker: Worker): void;
  told(worker: Worker, message: FromWorker): void;
}

/** Servers whose connections are accepted here: all but those of UDP, which the first worker opens itself. */
export function acceptedHere({ transport }: ServerConfig): boolean {
  return transport !== 'udp';
}

export class Workers {
  readonly all: Worker[] = [];
  readonly acceptors: Acceptor[] = [];
  private readonly choose;
  /** Accepted while no worker was there. */
  private readonly waiting: PassedSocket[] = [];
  private checks: NodeJS.Timeout | undefined;
  private stopped = false;

  constructor(
    private readonly options: WorkersOptions,
    private readonly owner: WorkersOwner,
  ) {
    this.choose = balanceBy(options.engine.balance);
  }

  /**
   * Opens all servers and starts all workers. Rejects, with nothing left running, when one of them cannot serve, or a
   * port is taken.
   */
  async start(): Promise<void> {
    const { engine, names, log, program, logLevel } = this.options;
    try {
      for (const server of engine.servers.filter(acceptedHere)) {
        const own = log.child({ at: server.name });
        this.acceptors.push(await Acceptor.open(server, (passed) => this.pass(passed), own));
      }
      const accepted = Object.fromEntries(
        this.acceptors.map(({ name, address, port }) => [name, { address, port }]),
      );
      const owner: WorkerOwner = {
        ready: (worker) => {
          this.owner.ready(worker);
          for (const passed of this.waiting.splice(0)) this.acceptorOf(passed.server).offer(passed);
        },
        lost: (worker, onWay) => {
          this.owner.lost(worker);
          for (const passed of onWay) this.acceptorOf(passed.server).offer(passed);
        },
        closed: (server, count) => {
          this.acceptorOf(server).open -= count;
        },
        told: (worker, message) => this.owner.told(worker, message),
      };
      for (const name of names) {
        const setup = { ...this.options.setupOf(name), accepted };
        this.all.push(
          new Worker({ name, program, setup, timeoutSeconds: engine.workerTimeout, logLevel, log }, owner),
        );
      }
      this.checks = setInterval(() => {
        for (const worker of this.all) worker.check();
      }, CHECK_MS).unref();
      await Promise.all(this.all.map((worker) => worker.start()));
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** Stops listening, and lets all workers drain. Never fails. */
  async stop(): Promise<void> {
    this.stopped = true;
    await Promise.all(this.acceptors.map((acceptor) => acceptor.close()));
    await Promise.all(this.all.map((worker) => worker.stop()));
    clearInterval(this.checks);
    for (const { socket } of this.waiting.splice(0)) socket.destroy();
  }

  /** Those that serve. */
  get ready(): Worker[] {
    return this.all.filter(({ report }) => report !== undefined);
  }

  /** The one whose node that is. */
  ofNode(node: number): Worker | undefined {
    return this.all.find(({ report }) => report?.node === node);
  }

  /** Gives a connection to a worker, or lets it wait for one; false when there is no room. */
  private pass(passed: PassedSocket): boolean {
    const candidates = this.all.filter(({ takes }) => takes);
    if (candidates.length > 0) {
      this.choose(candidates, passed.address).give(passed);
      return true;
    }
    // While one that is there has too many on their way, waiting helps nobody.
    if (this.stopped || this.ready.length > 0 || this.waiting.length >= MAX_WAITING) return false;
    this.waiting.push(passed);
    return true;
  }

  private acceptorOf(server: string): Acceptor {
    return this.acceptors.find(({ name }) => name === server)!;
  }
}
