/** The process that comes: takes over from its parent, which started it for that. */

import type { Arrived } from '../api/host.js';
import type { Engine } from '../engine/engine.js';
import { catchUp, refusedOf } from '../engine/handover/arriving.js';
import { goOn } from '../engine/handover/leaving.js';
import type { Inheritance, SavedEngine } from '../engine/handover/saved.js';
import { messageOf } from '../errors.js';
import type { Logger } from '../log.js';
import type { Handle } from '../transports/handles.js';
import { SUCCESSOR, step, type ToPredecessor, type ToSuccessor } from './messages.js';

export class Successor {
  private readonly handles = new Map<string, Handle>();
  private readonly taken: Promise<SavedEngine | undefined>;
  private readonly gone: Promise<Readonly<Record<string, unknown>>>;
  private readonly accepted: [server: string, handle: Handle][] = [];
  private onAccepted = (server: string, handle: Handle): void => {
    this.accepted.push([server, handle]);
  };

  private constructor() {
    delete process.env[SUCCESSOR];
    // Was the other process's; from now on this one feeds the watchdog.
    delete process.env.WATCHDOG_PID;
    let take!: (saved: SavedEngine | undefined) => void;
    let go!: (late: Readonly<Record<string, unknown>>) => void;
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
      go({});
    });
  }

  /** Undefined in a process that begins by itself. */
  static here(): Successor | undefined {
    return process.env[SUCCESSOR] !== undefined && process.send ? new Successor() : undefined;
  }

  /** Tells that nothing keeps this process from running. Resolves to what it is to go on from. */
  async inherit(log: Logger): Promise<Inheritance | undefined> {
    await step('new-checked', process);
    this.tell({ t: 'ready' });
    const saved = await this.taken;
    await step('new-taken', process);
    if (!saved) {
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
   * The engine is open and rests. Resolves, once it is told to go on and does, with what was taken over. `announce`
   * tells others that this process is the one now; the other one ends after that.
   */
  async takeOver(
    engine: Engine,
    { saved }: Inheritance,
    announce: () => Promise<void>,
    log: Logger,
  ): Promise<Arrived> {
    this.closeRest();
    await step('new-adopted', process);
    this.tell({ t: 'adopted', refused: refusedOf(engine, saved) });
    const late = await this.gone;
    await step('new-going', process);
    catchUp(engine, late);
    goOn(engine);
    this.onAccepted = (server, handle) => {
      const { listener } = engine.servers.find(({ config }) => config.name === server) ?? {};
      if (listener?.receive) listener.receive(handle);
      else handle.close();
    };
    for (const [server, handle] of this.accepted) this.onAccepted(server, handle);
    await announce();
    await step('new-running', process);
    this.tell({ t: 'running' });
    const listeners = saved.parts.filter(({ listening }) => listening !== undefined).length;
    const arrived = {
      clients: saved.parts.flatMap((part) => part.clients).length,
      listeners,
      closed: saved.staying,
    };
    log.info('restart: this process has taken over', { ...arrived });
    return arrived;
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
    this.handles.get(name)?.close();
    this.handles.set(name, handle);
  }

  /** Closes what nobody wants. */
  private closeRest(): void {
    for (const handle of this.handles.values()) handle.close();
    this.handles.clear();
  }
}
