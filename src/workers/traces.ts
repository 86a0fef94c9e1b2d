/** Clients of workers that are watched at the primary's API. */

import type { TraceEvent, TraceListener } from '../engine/trace.js';
import { Failure, MoonwireError, messageOf } from '../errors.js';
import type { Worker } from './worker.js';

interface Watched {
  readonly worker: Worker;
  readonly listener: TraceListener;
  readonly ended: () => void;
}

export class Traces {
  private readonly watched = new Map<number, Watched>();
  private last = 0;

  /** Watches a client of a worker, as `ApiHost.trace` says. */
  async watch(
    worker: Worker,
    id: number,
    listener: TraceListener,
    ended: () => void,
  ): Promise<(() => void) | Failure> {
    const watch = ++this.last;
    // Before the answer: events may come right behind it.
    this.watched.set(watch, { worker, listener, ended });
    try {
      await worker.request('trace', { id, watch });
    } catch (error) {
      this.watched.delete(watch);
      const code = error instanceof MoonwireError ? error.code : 'internal';
      return new Failure(`${code}: ${messageOf(error)}`);
    }
    return () => {
      if (this.watched.delete(watch)) worker.tell({ t: 'unwatch', watch });
    };
  }

  event(watch: number, event: TraceEvent): void {
    this.watched.get(watch)?.listener(event);
  }

  ended(watch: number): void {
    const watched = this.watched.get(watch);
    this.watched.delete(watch);
    watched?.ended();
  }

  /** The process of a worker is gone, and its clients with it. */
  lost(worker: Worker): void {
    for (const [watch, watched] of this.watched) if (watched.worker === worker) this.ended(watch);
  }
}
