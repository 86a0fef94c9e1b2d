/**
 * A primary with its workers, as another primary with as many takes them over: what each worker has goes to the one at
 * the same place, which has the same store. Handles go through both primaries.
 */

import type { Estate, LetGo, SendAccepted, SendHandle, Surroundings } from '../engine/handover/estate.js';
import { handleName } from '../engine/handover/saved.js';
import { MoonwireError } from '../errors.js';
import type { Handle } from '../transports/handles.js';
import { type EstateStep, estateMethod, STEP_MS } from './handing-over.js';
import { addressedTo } from './passing.js';
import type { Worker } from './worker.js';
import type { SavedWorkers, Workers } from './workers.js';

/** Milliseconds between two looks whether connections have reached their workers. */
const LOOK_MS = 5;

export class WorkersEstate implements Estate {
  private suspended = false;

  constructor(
    private readonly workers: Workers,
    private readonly around: Surroundings,
  ) {}

  async ahead(send: SendHandle): Promise<void> {
    for (const acceptor of this.workers.acceptors)
      await send(handleName.listener(acceptor.name), acceptor.passage().handle);
    await this.relayed('ahead', send);
  }

  async rest(ms: number): Promise<void> {
    const { all, acceptors } = this.workers;
    for (const worker of all) worker.hold();
    for (const acceptor of acceptors) acceptor.freeze();
    const deadline = performance.now() + ms;
    while (all.some(({ onWay }) => onWay > 0) && performance.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    const late = all.find(({ onWay }) => onWay > 0);
    if (late) throw new MoonwireError('timeout', `${late.name} does not take connections`);
    await this.each('rest', () => ({ ms }));
  }

  async suspend(): Promise<void> {
    // What is open here is closed in any case: `resume` opens it.
    try {
      await this.each('suspend');
    } finally {
      this.suspended = true;
      await this.around.suspend();
    }
  }

  async leave(send: SendHandle): Promise<SavedWorkers> {
    const acceptors = [];
    for (const acceptor of this.workers.acceptors) {
      const { name, where, counters } = acceptor;
      const { accepted } = acceptor.passage();
      for (const [i, handle] of accepted.entries()) await send(handleName.accepted(name, i), handle);
      acceptors.push({ name, where, accepted: accepted.length, counters: { ...counters } });
    }
    return { acceptors, workers: (await this.relayed('leave', send)) as Uint8Array[] };
  }

  late(): Promise<unknown> {
    return this.each('late');
  }

  async letGo(refused: unknown, accepted: SendAccepted): Promise<LetGo> {
    const { acceptors } = this.workers;
    for (const acceptor of acceptors) {
      for (const handle of acceptor.letGo()) {
        await accepted(acceptor.name, handle).catch(() => {});
        handle.close();
      }
    }
    const each = refused as readonly unknown[];
    const parts = (await this.ofThose('letGo', (i) => ({ refused: each[i] }))) as LetGo[];
    const closed: Record<string, number> = {};
    for (const part of parts)
      for (const [name, count] of Object.entries(part.closed)) closed[name] = (closed[name] ?? 0) + count;
    return {
      clients: parts.reduce((sum, { clients }) => sum + clients, 0),
      listeners: parts.reduce((sum, { listeners }) => sum + listeners, acceptors.length),
      closed,
    };
  }

  async drain(): Promise<void> {
    await this.ofThose('drain');
  }

  async goOn(): Promise<void> {
    const { all, acceptors } = this.workers;
    await this.ofThose('goOn');
    for (const worker of all) worker.release();
    for (const acceptor of acceptors) acceptor.thaw();
  }

  async resume(): Promise<void> {
    if (this.suspended) await this.around.resume();
    this.suspended = false;
    const { workers } = this;
    const those = this.running();
    const settled = await this.ask('resume', those, (worker) => ({ setup: workers.setupOf(worker) }));
    for (const [i, one] of settled.entries()) {
      // One that is gone is replaced; one that cannot open what it needs yet is asked again.
      if (one.status === 'rejected' && those[i]!.report !== undefined) throw one.reason;
    }
  }

  async abandon(): Promise<void> {
    await this.ofThose('abandon');
  }

  private running(): Worker[] {
    return this.workers.ready;
  }

  /** Lets all workers do a step, and sends on the handles that come with it. */
  private async relayed(step: EstateStep, send: SendHandle): Promise<unknown[]> {
    const sent: Promise<unknown>[] = [];
    for (const [i, worker] of this.workers.all.entries()) {
      worker.relay((name, handle: Handle) => {
        const passed = send(addressedTo(i, name), handle).finally(() => handle.close());
        // Told once all have answered.
        passed.catch(() => {});
        sent.push(passed);
      });
    }
    const answers = await this.each(step);
    await Promise.all(sent);
    return answers;
  }

  /** Lets all workers do a step. Rejects, once none is at it any more, when one of them does not. */
  private async each(step: EstateStep, params: (i: number) => unknown = () => undefined): Promise<unknown[]> {
    const { all } = this.workers;
    const settled = await this.ask(step, all, (worker) => params(all.indexOf(worker)));
    return settled.map((one) => {
      if (one.status === 'rejected') throw one.reason;
      return one.value;
    });
  }

  /** Lets those workers do a step that are there; what they answer. */
  private async ofThose(
    step: EstateStep,
    params: (i: number) => unknown = () => undefined,
  ): Promise<unknown[]> {
    const { all } = this.workers;
    const settled = await this.ask(step, this.running(), (worker) => params(all.indexOf(worker)));
    return settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  }

  private ask(
    step: EstateStep,
    workers: readonly Worker[],
    params: (worker: Worker) => unknown,
  ): Promise<PromiseSettledResult<unknown>[]> {
    return Promise.allSettled(
      workers.map(async (worker) => {
        try {
          return await worker.request(estateMethod(step), params(worker), STEP_MS);
        } catch (error) {
          // Nobody knows how far it is: another process takes its place.
          if (error instanceof MoonwireError && error.code === 'timeout') worker.kill();
          throw error;
        }
      }),
    );
  }
}
