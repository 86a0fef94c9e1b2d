/** The process that goes: starts its successor, hands over to it, and goes on itself when that fails. */

import { type ChildProcess, type SendHandle, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import type { Estate, LetGo } from '../engine/handover/estate.js';
import { MoonwireError, messageOf } from '../errors.js';
import type { Logger } from '../log.js';
import type { Handle } from '../transports/handles.js';
import { LIFELINE, SUCCESSOR, step, successorOf, type ToPredecessor, type ToSuccessor } from './messages.js';

/** Milliseconds in which handlers may end and what was sent may leave; who takes longer stays behind. */
const REST_MS = 2000;
/** Milliseconds in which the new process must be ready, and in which it must have taken over. */
const READY_MS = 60_000;
const TAKE_MS = 30_000;
/** Milliseconds before what this process needs to go on is opened once more. */
const AGAIN_MS = 1000;

/** What a restart carried. */
export interface Carried extends LetGo {
  readonly pid: number;
}

/** Starts the new process at once, and hands over once. */
export class Predecessor {
  private readonly child: ChildProcess;
  private readonly inbox: ToPredecessor[] = [];
  private wake = (): void => {};
  private gone = false;
  /** Resolves when neither the new process nor any of its workers is left. */
  private dead: Promise<unknown> = Promise.resolve();
  /** When devices began to wait, on the clock of `performance.now`. */
  private rested = 0;

  /** `workers`: how many this process has. */
  constructor(
    private readonly estate: Estate,
    workers: number,
    private readonly log: Logger,
  ) {
    this.child = this.start(workers);
  }

  /**
   * Resolves to what was carried once the new process runs and this one has nothing left to do. Rejects with
   * MoonwireError when it does not come to that: then all is as it was.
   */
  async handOver(): Promise<Carried> {
    const { estate } = this;
    const send = (name: string, handle: Handle): Promise<void> => this.send({ t: 'handle', name }, handle);
    let undo: (() => Promise<void>) | undefined;
    try {
      await this.expect('ready', READY_MS);
      await step('ready', this.child);
      await estate.ahead(send);
      undo = () => estate.goOn();
      this.rested = performance.now();
      await estate.rest(REST_MS);
      await step('rested', this.child);
      undo = () => this.takeBack();
      await estate.suspend();
      await step('suspended', this.child);
      await this.send({ t: 'take', saved: await estate.leave(send) });
      const { refused } = await this.expect('adopted', TAKE_MS);
      await step('adopted', this.child);
      if (this.gone) throw failed('it ended');
      const late = await estate.late();
      // From here on the other one may read what is meant for these.
      undo = async () => {
        await estate.abandon();
        await this.takeBack();
      };
      await this.send({ t: 'go', late });
      await step('going', this.child);
      await this.expect('running', TAKE_MS);
      await step('running', this.child);
      if (this.gone) throw failed('it ended');
      return await this.finish(refused);
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

  private start(workers: number): ChildProcess {
    const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
      env: { ...process.env, [SUCCESSOR]: successorOf(workers) },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc', 'pipe'],
      serialization: 'advanced',
      // A group of its own, which its workers belong to.
      detached: true,
    });
    const line = child.stdio[LIFELINE] as Socket;
    // Ends when the last process ends that has the other end.
    this.dead = new Promise((resolve) => line.on('close', resolve));
    line.on('error', () => {}).resume();
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

  /** Ends the new process and its workers, so that nobody but this one reads. */
  private async end(): Promise<void> {
    const { pid } = this.child;
    if (pid === undefined) return;
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      // None of them is left.
    }
    await this.dead;
  }

  /** Goes on alone. */
  private async takeBack(): Promise<void> {
    const { estate, log } = this;
    for (;;) {
      try {
        await estate.resume();
        break;
      } catch (error) {
        log.error('restart: what this process needs to go on does not open yet', {
          reason: messageOf(error),
        });
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      }
    }
    await estate.goOn();
  }

  /** The other process runs: closes here what it has, and drains what it does not have. */
  private async finish(refused: unknown): Promise<Carried> {
    const { estate, child } = this;
    const accepted = (server: string, handle: Handle): Promise<void> =>
      this.send({ t: 'accepted', server }, handle);
    const carried = { pid: child.pid!, ...(await estate.letGo(refused, accepted)) };
    const pauseMs = Math.round(performance.now() - this.rested);
    this.log.info('restart: the new process runs', { ...carried, pauseMs });
    child.unref();
    await estate.drain();
    child.disconnect();
    return carried;
  }
}

function failed(reason: string): MoonwireError {
  return new MoonwireError('closed', `the new process did not take over: ${reason}`);
}
