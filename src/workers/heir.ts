/** A primary with its workers, that were taken over from another one. */

import type { Arrived, Heir } from '../engine/handover/estate.js';
import { MoonwireError } from '../errors.js';
import type { Handle } from '../transports/handles.js';
import { BEGIN, STEP_MS } from './handing-over.js';
import type { Workers } from './workers.js';

export class WorkersHeir implements Heir {
  readonly arrived: Arrived;
  readonly refused: readonly unknown[];

  constructor(private readonly workers: Workers) {
    const parts = workers.all.map(({ taken }) => taken!);
    this.refused = parts.map(({ refused }) => refused);
    const closed: Record<string, number> = {};
    for (const { arrived } of parts)
      for (const [name, count] of Object.entries(arrived.closed)) closed[name] = (closed[name] ?? 0) + count;
    this.arrived = {
      clients: parts.reduce((sum, { arrived }) => sum + arrived.clients, 0),
      listeners: parts.reduce((sum, { arrived }) => sum + arrived.listeners, workers.acceptors.length),
      closed,
    };
  }

  get broken(): Promise<never> {
    return this.workers.firstEnd.then((name) => {
      throw new MoonwireError('closed', `${name} ended`);
    });
  }

  async goOn(late: unknown): Promise<void> {
    const { all, acceptors } = this.workers;
    const each = late as readonly unknown[] | undefined;
    // One that ends now takes its own connections, as at any time.
    await Promise.allSettled(all.map((worker, i) => worker.request(BEGIN, { late: each?.[i] }, STEP_MS)));
    for (const worker of all) worker.release();
    for (const acceptor of acceptors) acceptor.thaw();
  }

  accept(server: string, handle: Handle): void {
    const acceptor = this.workers.acceptors.find(({ name }) => name === server);
    if (acceptor) acceptor.receive(handle);
    else handle.close();
  }
}
