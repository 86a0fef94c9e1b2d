/** The process that comes: takes over from its parent, which started it for that. */

import type { Arrived, Heir } from '../engine/handover/estate.js';
import type { Inheritance } from '../engine/handover/saved.js';
import { MoonwireError, messageOf } from '../errors.js';
import type { Logger } from '../log.js';
import type { Handle } from '../transports/handles.js';
import { LIFELINE, SUCCESSOR, step, successorOf, type ToPredecessor, type ToSuccessor } from './messages.js';

/** Takes handles on their way; true: that one is for somebody else, and was sent on. */
export type Route = (name: string, handle: Handle) => boolean;

export class Successor {
  /** For what this process starts; see messages.ts. */
  readonly lifeline = LIFELINE;
  private readonly handles = new Map<string, Handle>();
  private readonly taken: Promise<unknown>;
  private readonly gone: Promise<unknown>;
  private route: Route = () => false;
  private readonly accepted: [server: string, handle: Handle][] = [];
  private onAccepted = (server: string, handle: Handle): void => {
    this.accepted.push([server, handle]);
  };

  private constructor(private readonly of: string) {
    delete process.env[SUCCESSOR];
    // Was the other process's; from now on this one feeds the watchdog.
    delete process.env.WATCHDOG_PID;
    let take!: (saved: unknown) => void;
    let go!: (late: unknown) => void;
    this.taken = new Promise((resolve) => (take = resolve));
    this.gone = new Promise((resolve) => (go = resolve));
    process.on('message', (message: ToSuccessor, handle?: unknown) => {
      if (message.t === 'handle') this.keep(message.name, handle as Handle);
      else if (message.t === 'take') take(message.saved);
      else if (message.t === 'go') go(message.late);
      else this.onAccepted(message.server, handle as Handle);
    });
    // The other process is dead, and nobody but this one serves: what has come must do.
    process.once('disconnect', () => {
      take(undefined);
      go(undefined);
    });
  }

  /** Undefined in a process that begins by itself. */
  static here(): Successor | undefined {
    const of = process.env[SUCCESSOR];
    return of !== undefined && process.send ? new Successor(of) : undefined;
  }

  /** Throws MoonwireError when what the other process hands over is not what one with so many workers takes. */
  check(workers: number): void {
    if (this.of === successorOf(workers)) return;
    const [format, before] = this.of.split('/');
    const why =
      successorOf(Number(before)) === this.of
        ? `there are ${before} workers, and are to be ${workers}`
        : `the old version hands over in another way (${format})`;
    throw new MoonwireError('invalid_argument', `${why}: stop the service and start it`, 'engine.workers');
  }

  /**
   * Tells that nothing keeps this process from running. Resolves to what it is to go on from. `route`: for handles that
   * are not for this process.
   */
  async inherit(log: Logger, route?: Route): Promise<Inheritance<unknown> | undefined> {
    if (route) this.route = route;
    await step('new-checked', process);
    this.tell({ t: 'ready' });
    const saved = await this.taken;
    await step('new-taken', process);
    if (saved === undefined) {
      log.warn('restart: the old process ended before it had handed over');
      this.closeRest();
      return undefined;
    }
    return {
      saved,
      take: (name) => {
        const handle = this.handles.get(name);
        this.handles.delete(name);
        return handle;
      },
    };
  }

  /**
   * All is open and rests. Resolves, once it is told to go on and does, with what was taken over. `announce` tells
   * others that this process is the one now; the other one ends after that.
   */
  async takeOver(heir: Heir, announce: () => Promise<void>, log: Logger): Promise<Arrived> {
    this.closeRest();
    await step('new-adopted', process);
    this.tell({ t: 'adopted', refused: heir.refused });
    const late = await Promise.race([this.gone, ...(heir.broken ? [heir.broken] : [])]);
    await step('new-going', process);
    await heir.goOn(late);
    this.onAccepted = (server, handle) => heir.accept(server, handle);
    for (const [server, handle] of this.accepted) heir.accept(server, handle);
    await announce();
    await step('new-running', process);
    this.tell({ t: 'running' });
    log.info('restart: this process has taken over', { ...heir.arrived });
    return heir.arrived;
  }

  /** This process cannot run. */
  fail(error: unknown): Promise<void> {
    return new Promise((resolve) => {
      if (!process.connected) return resolve();
      const message: ToPredecessor = { t: 'failed', reason: messageOf(error) };
      process.send!(message, undefined, undefined, () => resolve());
    });
  }

  private tell(message: ToPredecessor): void {
    if (process.connected) process.send!(message, undefined, undefined, () => {});
  }

  private keep(name: string, handle: Handle): void {
    if (this.route(name, handle)) return;
    this.handles.get(name)?.close();
    this.handles.set(name, handle);
  }

  /** Closes what nobody wants. */
  private closeRest(): void {
    for (const handle of this.handles.values()) handle.close();
    this.handles.clear();
  }
}
