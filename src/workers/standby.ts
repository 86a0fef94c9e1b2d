/** Processes of workers that wait for what workers of another primary hand over to them. */

import type { Handle } from '../transports/handles.js';
import { WorkerChild } from './child.js';
import { addressed } from './passing.js';

export class Standby {
  readonly children: readonly WorkerChild[];

  /** Starts so many; they keep `lifeline` open. */
  constructor(program: string, count: number, lifeline: number) {
    this.children = Array.from({ length: count }, () => new WorkerChild(program, lifeline));
  }

  /** Sends a handle on that is for one of them; false: it is for none. */
  readonly route = (name: string, handle: Handle): boolean => {
    const to = addressed(name);
    if (!to) return false;
    const passed = this.children[to.worker]?.pass(to.name, handle) ?? Promise.resolve();
    // Whether it is still there shows when it is to begin.
    passed.catch(() => {}).finally(() => handle.close());
    return true;
  };

  /** Ends them; resolves when they are gone. */
  async end(): Promise<void> {
    for (const child of this.children) child.kill();
    await Promise.all(this.children.map(({ ended }) => ended));
  }
}
