/** What the two processes of a restart say to each other; README.md has the order. */

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { SavedEngine } from '../engine/handover/saved.js';

/** From the process that goes. */
export type ToSuccessor =
  /** A handle comes with it. One of a name that came before takes its place. */
  | { readonly t: 'handle'; readonly name: string }
  /** All handles were sent, and this process has closed the store. */
  | { readonly t: 'take'; readonly saved: SavedEngine }
  /** Begin. `late`: what came since, by server. */
  | { readonly t: 'go'; readonly late: Readonly<Record<string, unknown>> }
  /** A connection that was accepted since comes with it. */
  | { readonly t: 'accepted'; readonly server: string };

/** From the process that comes. */
export type ToPredecessor =
  /** It has found nothing that would keep it from running. */
  | { readonly t: 'ready' }
  /** All is open and rests; these clients it cannot serve. */
  | { readonly t: 'adopted'; readonly refused: readonly number[] }
  | { readonly t: 'running' }
  | { readonly t: 'failed'; readonly reason: string };

/** Tells a process that it is started to take the place of its parent. */
export const SUCCESSOR = 'MOONWIRE_SUCCESSOR';
/** For tests: the step at which a restart waits, so that one of the processes can be killed there. */
const PAUSE = 'MOONWIRE_HANDOVER_PAUSE';

/** The steps of a restart, in their order; those of the new process begin with `new`. */
export type Step =
  | 'new-checked'
  | 'ready'
  | 'rested'
  | 'suspended'
  | 'new-taken'
  | 'new-adopted'
  | 'adopted'
  | 'going'
  | 'new-going'
  | 'new-running'
  | 'running';

/** Waits where a test says so, until the other process is gone; tells that on standard error. */
export async function step(name: Step, other: ChildProcess | NodeJS.Process): Promise<void> {
  if (process.env[PAUSE] !== name) return;
  process.stderr.write(`restart waits at ${name}, process ${process.pid}\n`);
  // A promise alone would let a process end that has nothing else to do.
  const stay = setInterval(() => {}, 1000);
  await once(other, 'disconnect');
  clearInterval(stay);
}
