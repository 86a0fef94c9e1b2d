/** The workers of one primary, and the connections that are handed to them. */

import type { Config, ServerConfig } from '../config/schema.js';
import { handleName } from '../engine/handover/saved.js';
import type { Logger, LogLevel } from '../log.js';
import type { Handle } from '../transports/handles.js';
import { Acceptor, whereOf } from './acceptor.js';
import { balanceBy } from './balance.js';
import type { PassedSocket, WorkerChild } from './child.js';
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
  /** What another primary hands over, and the processes that take it. All rests then, until {@link Workers.thaw}. */
  readonly heirs?: Heirs | undefined;
}

/** What another primary hands over. */
export interface Heirs {
  readonly saved: SavedWorkers;
  readonly children: readonly WorkerChild[];
  take(name: string): Handle | undefined;
}

/** A primary with its workers, on their way to the one that takes its place. */
export interface SavedWorkers {
  readonly acceptors: readonly SavedAcceptor[];
  /** Of each worker, as it hands over. */
  readonly workers: readonly Uint8Array[];
}

/** Where connections are accepted. */
export interface SavedAcceptor {
  readonly name: string;
  readonly where: string;
  /** Connections that no worker has. */
  readonly accepted: number;
  readonly counters: Acceptor['counters'];
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
  /** Resolves to the name of the first worker whose process ends. */
  readonly firstEnd: Promise<string>;
  private ended!: (name: string) => void;
  private checks: NodeJS.Timeout | undefined;
  private stopped = false;

  constructor(
    private options: WorkersOptions,
    private readonly owner: WorkersOwner,
  ) {
    this.choose = balanceBy(options.engine.balance);
    this.firstEnd = new Promise((resolve) => (this.ended = resolve));
  }

  /**
   * Opens all servers and starts all workers. Rejects, with nothing left running, when one of them cannot serve, or a
   * port is taken.
   */
  async start(): Promise<void> {
    const { engine, names, log, program, logLevel, heirs } = this.options;
    try {
      for (const server of engine.servers.filter(acceptedHere)) await this.open(server);
      const owner: WorkerOwner = {
        ready: (worker) => {
          this.owner.ready(worker);
          for (const passed of this.waiting.splice(0)) this.acceptorOf(passed.server).offer(passed);
        },
        lost: (worker, onWay) => {
          this.ended(worker.name);
          this.owner.lost(worker);
          for (const passed of onWay) this.acceptorOf(passed.server).offer(passed);
        },
        closed: (server, count) => {
          this.acceptorOf(server).open -= count;
        },
        told: (worker, message) => this.owner.told(worker, message),
      };
      for (const [i, name] of names.entries()) {
        const setup = this.setupOf({ name });
        const heir = heirs && { child: heirs.children[i]!, saved: heirs.saved.workers[i]! };
        const timeoutSeconds = engine.workerTimeout;
        const worker = new Worker({ name, program, setup, timeoutSeconds, logLevel, log }, owner, heir);
        if (heir) worker.hold();
        this.all.push(worker);
      }
      this.checks = setInterval(() => {
        for (const worker of this.all) worker.check();
      }, CHECK_MS).unref();
      await Promise.all(this.all.map((worker) => worker.start()));
      for (const { taken } of this.all) {
        for (const [server, count] of Object.entries(taken?.open ?? {}))
          this.acceptorOf(server).open += count;
      }
      this.options = { ...this.options, heirs: undefined };
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

  /** What workers are made of from now on. Those that run are told by their owner. */
  renew(options: WorkersOptions): void {
    this.options = options;
    for (const worker of this.all) worker.renew(this.setupOf(worker));
  }

  /** What a worker is made of. */
  setupOf({ name }: Pick<Worker, 'name'>): WorkerSetup {
    return { ...this.options.setupOf(name), accepted: this.accepted };
  }

  /** Those that serve. */
  get ready(): Worker[] {
    return this.all.filter(({ report }) => report !== undefined);
  }

  /** The one whose node that is. */
  ofNode(node: number): Worker | undefined {
    return this.all.find(({ report }) => report?.node === node);
  }

  private get accepted(): WorkerSetup['accepted'] {
    return Object.fromEntries(this.acceptors.map(({ name, address, port }) => [name, { address, port }]));
  }

  /** Listens for a server's connections, on what another primary listened on where it is the same place. */
  private async open(server: ServerConfig): Promise<void> {
    const { log, heirs } = this.options;
    const { name } = server;
    const before = heirs?.saved.acceptors.find((one) => one.name === name && one.where === whereOf(server));
    const handle = before && heirs?.take(handleName.listener(name));
    const held = Array.from({ length: before?.accepted ?? 0 }, (_, i) =>
      heirs?.take(handleName.accepted(name, i)),
    );
    const inherited = handle && { handle, accepted: held.filter((each) => each !== undefined) };
    const own = log.child({ at: name });
    const acceptor = await Acceptor.open(server, (passed) => this.pass(passed), own, inherited);
    Object.assign(acceptor.counters, before?.counters);
    this.acceptors.push(acceptor);
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
