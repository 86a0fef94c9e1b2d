/** A worker: a process that is watched, and replaced when it ends or hangs. */

import { setTimeout as wait } from 'node:timers/promises';
import { MoonwireError } from '../errors.js';
import type { Logger, LogLevel } from '../log.js';
import type { Handle } from '../transports/handles.js';
import { type RetryOptions, retryDelay } from '../transports/keepopen.js';
import { type ChildOwner, type PassedSocket, WorkerChild } from './child.js';
import type { FromWorker, ToWorker, WorkerReport, WorkerSetup, WorkerTaken } from './messages.js';

/** One that does not last is replaced at longer and longer intervals, some eight times in the first minute. */
const REPLACE: RetryOptions = { minSeconds: 0.2, maxSeconds: 30, stableSeconds: 60 };
/** A process may take so long to load the program, on a small board that is busy. */
const START_SECONDS = 60;
/** A worker that is to stop ends within seconds; after these it is killed. */
const STOP_MS = 10_000;

/** What a worker is made of. */
export interface WorkerOptions {
  readonly name: string;
  /** The program's file, which is run with the argument `worker`. */
  readonly program: string;
  readonly setup: WorkerSetup;
  /** A worker that says nothing for so long hangs. */
  readonly timeoutSeconds: number;
  /** Lines of less weight in its log are left out; asked again and again. */
  logLevel(): LogLevel;
  readonly log: Logger;
}

/** Told of what a worker does. */
export interface WorkerOwner {
  /** It serves. */
  ready(worker: Worker): void;
  /** Its process is gone; these connections were on their way, and did not reach it. */
  lost(worker: Worker, onWay: readonly PassedSocket[]): void;
  /** Connections of a server have closed. */
  closed(server: string, count: number): void;
  /** What it says beside. */
  told(worker: Worker, message: FromWorker): void;
}

/** Rising for ever; names are metric labels. */
export interface WorkerCounters {
  starts: number;
  /** Its process ended without being asked to. */
  ends: number;
  /** Its process was killed, since it said nothing or something in it was stuck. */
  hangs: number;
  /** Connections it got. */
  connections: number;
  /** Connections that were on their way when it ended. */
  missed: number;
}

export class Worker {
  readonly name: string;
  readonly counters: WorkerCounters = { starts: 0, ends: 0, hangs: 0, connections: 0, missed: 0 };
  /** Open connections by server, those on their way included. */
  readonly open = new Map<string, number>();
  private readonly stopping = new AbortController();
  private child: WorkerChild | undefined;
  private done: Promise<void> | undefined;
  private setup: WorkerSetup;
  /** What its first process took over. */
  taken: WorkerTaken | undefined;
  private held = false;
  private letGo = (): void => {};

  /** `heir`: what the first process takes over, and that process, which waits; see {@link hold}. */
  constructor(
    private readonly options: WorkerOptions,
    private readonly owner: WorkerOwner,
    private heir?: { readonly child: WorkerChild; readonly saved: Uint8Array },
  ) {
    this.name = options.name;
    this.setup = options.setup;
  }

  /** Starts it, and from then on keeps it running. Rejects when the first process cannot serve. */
  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.done = this.run(resolve, reject);
    });
  }

  /** Lets it drain; resolves when its process is gone. Never fails. */
  async stop(): Promise<void> {
    this.stopping.abort();
    this.release();
    const { child } = this;
    child?.channel.tell({ t: 'stop' });
    const late = setTimeout(() => child?.kill(), STOP_MS);
    await this.done;
    clearTimeout(late);
  }

  /** How it fares; undefined while it does not serve. */
  get report(): WorkerReport | undefined {
    return this.child?.report;
  }

  /** Whether another connection may be given to it. */
  get takes(): boolean {
    return this.child?.takes === true && !this.stopping.signal.aborted;
  }

  get connections(): number {
    let count = 0;
    for (const open of this.open.values()) count += open;
    return count;
  }

  /** Of its process. */
  get pid(): number | undefined {
    return this.child?.pid;
  }

  /** Hands a connection over; only while it `takes`. */
  give(passed: PassedSocket): void {
    this.opened(passed.server, 1);
    this.child!.give(passed);
  }

  /** Tells it something, if it serves. */
  tell(message: ToWorker): void {
    if (this.report) this.child!.channel.tell(message);
  }

  /** Asks it; rejects as `Requests.request` does, with `not_connected` while it does not serve. */
  async request(method: string, params: unknown, timeoutMs?: number): Promise<unknown> {
    if (this.report) return this.child!.channel.requests.request(method, params, timeoutMs);
    throw new MoonwireError('not_connected', `${this.name} does not run`);
  }

  /** Connections on their way to it. */
  get onWay(): number {
    return this.child?.onWay.length ?? 0;
  }

  /** Its processes to come begin with this. */
  renew(setup: WorkerSetup): void {
    this.setup = setup;
  }

  /** Should its process end, no other one takes its place until it is released. */
  hold(): void {
    this.held = true;
  }

  release(): void {
    this.held = false;
    this.letGo();
  }

  /** Gives the handles of what it hands over to `take`. */
  relay(take: (name: string, handle: Handle) => void): void {
    if (this.child) this.child.onHandle = take;
  }

  kill(): void {
    this.child?.kill();
  }

  /** Asks for a sign of life, and kills a process that gave none for too long. To be called again and again. */
  check(now = performance.now()): void {
    const { child } = this;
    if (!child || this.held) return;
    child.channel.tell({ t: 'ping', level: this.options.logLevel() });
    const { heard, report, spoke } = child;
    const { timeoutSeconds } = this.options;
    const silent = now - heard > (spoke ? timeoutSeconds : Math.max(START_SECONDS, timeoutSeconds)) * 1000;
    if (!silent && report?.alive !== false) return;
    // Whoever was held up finds its timer due before it has read what arrived meanwhile.
    setImmediate(() => {
      if (child !== this.child || (silent && child.heard !== heard)) return;
      this.counters.hangs++;
      this.options.log.error(`${this.name} ${silent ? 'says nothing' : 'is stuck'}, and is killed`);
      child.kill();
    });
  }

  private opened(server: string, count: number): void {
    this.open.set(server, (this.open.get(server) ?? 0) + count);
  }

  private async run(started: () => void, failed: (error: Error) => void): Promise<void> {
    const { program, log, logLevel } = this.options;
    const { signal } = this.stopping;
    let attempts = 0;
    let served = false;
    const owner: ChildOwner = {
      ready: (taken) => {
        served = true;
        this.taken = taken;
        for (const [server, count] of Object.entries(taken?.open ?? {})) this.opened(server, count);
        started();
        this.owner.ready(this);
      },
      got: () => this.counters.connections++,
      closed: (server, count) => {
        this.open.set(server, (this.open.get(server) ?? 0) - count);
        this.owner.closed(server, count);
      },
      told: (message) => this.owner.told(this, message),
    };
    while (!signal.aborted) {
      const began = performance.now();
      const { heir } = this;
      this.heir = undefined;
      const child = heir?.child ?? new WorkerChild(program);
      child.begin({ setup: this.setup, level: logLevel(), saved: heir?.saved }, owner);
      this.child = child;
      this.counters.starts++;
      const how = await child.ended;
      this.child = undefined;
      // Those on their way go on elsewhere.
      for (const { server } of child.onWay) this.open.set(server, this.open.get(server)! - 1);
      for (const [server, count] of this.open) this.owner.closed(server, count);
      this.open.clear();
      const reason = child.error?.message ?? how;
      if (signal.aborted || !served) {
        for (const { socket } of child.onWay) socket.destroy();
        failed(child.error ?? new MoonwireError('internal', `${this.name} did not start: ${how}`));
        return;
      }
      this.counters.ends++;
      this.counters.missed += child.onWay.length;
      if (performance.now() - began > REPLACE.stableSeconds * 1000) attempts = 0;
      const delay = retryDelay(attempts++, REPLACE, Math.random());
      log.error(`${this.name} has ended, and is replaced`, { reason, in_seconds: Number(delay.toFixed(1)) });
      this.owner.lost(this, child.onWay);
      await wait(delay * 1000, undefined, { signal }).catch(() => {});
      if (this.held) await new Promise<void>((resolve) => (this.letGo = resolve));
    }
  }
}
