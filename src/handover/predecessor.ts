/** The process that goes: starts its successor, hands over to it, and goes on itself when that fails. */

import { type ChildProcess, type SendHandle, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Client } from '../engine/client.js';
import type { Engine } from '../engine/engine.js';
import {
  bringToRest,
  byTransport,
  goOn,
  handlesOf,
  type Leaving,
  lateOf,
  leave,
  letGo,
} from '../engine/handover/leaving.js';
import { MoonwireError, messageOf } from '../errors.js';
import type { Logger } from '../log.js';
import type { Handle } from '../transports/handles.js';
import { SUCCESSOR, step, type ToPredecessor, type ToSuccessor } from './messages.js';

/** Milliseconds in which handlers may end and what was sent may leave; who takes longer stays behind. */
const REST_MS = 2000;
/** Milliseconds in which the new process must be ready, and in which it must have taken over. */
const READY_MS = 60_000;
const TAKE_MS = 30_000;
/** Milliseconds in which what cannot be handed over is drained; as long as a connection takes to end. */
const DRAIN_MS = 11_000;
/** Milliseconds before what this process needs to go on is opened once more. */
const AGAIN_MS = 1000;

/** What runs in this process, beside its engine: it can be closed and opened again. */
export interface Surroundings {
  readonly engine: Engine;
  /** Closes all but the engine. Never fails. */
  suspend(): Promise<void>;
  /** Opens it again round the engine. */
  resume(): Promise<void>;
}

/** What a restart carried. */
export interface Carried {
  readonly pid: number;
  readonly clients: number;
  readonly listeners: number;
  /** Clients that could not go, by what they were connected with. */
  readonly closed: Readonly<Record<string, number>>;
}

/** Starts the new process at once, and hands over once. */
export class Predecessor {
  private readonly child: ChildProcess;
  private readonly inbox: ToPredecessor[] = [];
  private wake = (): void => {};
  private gone = false;
  /** When devices began to wait, on the clock of `performance.now`. */
  private rested = 0;
  private readonly sent = new Map<string, Handle>();

  constructor(
    private readonly around: Surroundings,
    private readonly log: Logger,
  ) {
    this.child = this.start();
  }

  /**
   * Resolves to what was carried once the new process runs and this one has nothing left to do. Rejects with
   * MoonwireError when it does not come to that: then all is as it was.
   */
  async handOver(): Promise<Carried> {
    const { around } = this;
    let undo: (() => Promise<void>) | undefined;
    try {
      await this.expect('ready', READY_MS);
      await step('ready', this.child);
      await this.sendHandles(handlesOf(around.engine));
      undo = async () => goOn(around.engine);
      this.rested = performance.now();
      await bringToRest(around.engine, REST_MS);
      await step('rested', this.child);
      undo = () => this.takeBack();
      await around.suspend();
      await step('suspended', this.child);
      const leaving = leave(around.engine);
      await this.sendHandles(leaving.handles);
      await this.send({ t: 'take', saved: leaving.saved });
      const { refused } = await this.expect('adopted', TAKE_MS);
      await step('adopted', this.child);
      if (this.gone) throw failed('it ended');
      // From here on the other one may read what is meant for these.
      undo = () => this.takeBack(leaving.moved);
      const late = lateOf(around.engine);
      await this.send({ t: 'go', late });
      await step('going', this.child);
      await this.expect('running', TAKE_MS);
      await step('running', this.child);
      if (this.gone) throw failed('it ended');
      return await this.finish(leaving, new Set(refused));
    } catch (error) {
      await this.end();
      await undo?.();
      throw error;
    }
  }

  /** Passes a signal on that came meanwhile. */
  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  private start(): ChildProcess {
    const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
      env: { ...process.env, [SUCCESSOR]: '1' },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      serialization: 'advanced',
      detached: true,
    });
    this.log.info('restart: a new process begins', { pid: child.pid });
    child.on('message', (message) => {
      this.inbox.push(message as ToPredecessor);
      this.wake();
    });
    const over = (): void => {
      this.gone = true;
      this.wake();
    };
    return child.on('exit', over).on('disconnect', over).on('error', over);
  }

  private async expect<T extends ToPredecessor['t']>(
    type: T,
    ms: number,
  ): Promise<Extract<ToPredecessor, { t: T }>> {
    const deadline = performance.now() + ms;
    for (;;) {
      const message = this.inbox.shift();
      if (message?.t === type) return message as Extract<ToPredecessor, { t: T }>;
      if (message?.t === 'failed') throw failed(message.reason);
      if (message) throw failed(`it said ${message.t} before ${type}`);
      if (this.gone) throw failed('it ended');
      const left = deadline - performance.now();
      if (left <= 0) throw new MoonwireError('timeout', `the new process was silent for ${ms / 1000} s`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  private async sendHandles(handles: ReadonlyMap<string, Handle>): Promise<void> {
    for (const [name, handle] of handles) {
      if (this.sent.get(name) === handle) continue;
      this.sent.set(name, handle);
      await this.send({ t: 'handle', name }, handle);
    }
  }

  /** Resolves when the message has left; rejects when the other process is gone. */
  private send(message: ToSuccessor, handle?: Handle): Promise<void> {
    return new Promise((resolve, reject) => {
      const gone = (): void => reject(failed('it ended'));
      if (this.gone) return gone();
      // Node does not call back for what waited when the process ended.
      this.child.once('exit', gone);
      this.child.send(message, handle as unknown as SendHandle, { keepOpen: true }, (error) => {
        this.child.off('exit', gone);
        if (error) reject(failed(messageOf(error)));
        else resolve();
      });
    });
  }

  /** Ends the new process, so that nobody but this one reads. */
  private async end(): Promise<void> {
    const { child } = this;
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  /** Goes on alone. `touched`: clients of whose bytes the other process may have read some. */
  private async takeBack(touched: ReadonlySet<Client> = new Set()): Promise<void> {
    const { around, log } = this;
    for (const client of touched)
      client.destroy(new MoonwireError('closed', 'the process that took it over ended'));
    for (;;) {
      try {
        await around.resume();
        break;
      } catch (error) {
        log.error('restart: what this process needs to go on does not open yet', {
          reason: messageOf(error),
        });
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      }
    }
    goOn(around.engine);
  }

  /** The other process runs: closes here what it has, and drains what it does not have. */
  private async finish({ moved, staying }: Leaving, refused: ReadonlySet<number>): Promise<Carried> {
    const { engine } = this.around;
    const gone = new Set([...moved].filter(({ id }) => !refused.has(id)));
    const rest = [...staying, ...[...moved].filter(({ id }) => refused.has(id))];
    const closed = byTransport(rest);
    for (const client of gone) client.letGo();
    const listeners = engine.servers.filter(({ listener }) => listener?.passage).length;
    for (const [server, handle] of letGo(engine)) {
      await this.send({ t: 'accepted', server }, handle).catch(() => {});
      handle.close();
    }
    const carried = { pid: this.child.pid!, clients: gone.size, listeners, closed };
    const pauseMs = Math.round(performance.now() - this.rested);
    this.log.info('restart: the new process runs', { ...carried, pauseMs });
    this.child.unref();
    if (rest.length > 0) await this.drain(rest);
    this.child.disconnect();
    return carried;
  }

  private async drain(clients: readonly Client[]): Promise<void> {
    for (const client of clients) {
      client.end(1012, 'service restart');
      // Its peer's end is to be seen; what else it sends is dropped.
      client.connection.thaw?.();
    }
    const deadline = performance.now() + DRAIN_MS;
    while (clients.some(({ over }) => !over) && performance.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, 20));
    this.log.info('restart: connections that could not be handed over are closed', {
      clients: clients.length,
    });
  }
}

function failed(reason: string): MoonwireError {
  return new MoonwireError('closed', `the new process did not take over: ${reason}`);
}
