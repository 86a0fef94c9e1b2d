/** What the two processes of a restart say to each other; README.md has the order. */

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/** From the process that goes. */
export type ToSuccessor =
  /** A handle comes with it. One of a name that came before takes its place. */
  | { readonly t: 'handle'; readonly name: string }
  /** All handles were sent, and this process has closed the store. */
  | { readonly t: 'take'; readonly saved: unknown }
  /** Begin. `late`: what came since. */
  | { readonly t: 'go'; readonly late: unknown }
  /** A connection that was accepted since comes with it. */
  | { readonly t: 'accepted'; readonly server: string };

/** From the process that comes. */
export type ToPredecessor =
  /** It has found nothing that would keep it from running. */
  | { readonly t: 'ready' }
  /** All is open and rests; these clients it cannot serve. */
  | { readonly t: 'adopted'; readonly refused: unknown }
  | { readonly t: 'running' }
  | { readonly t: 'failed'; readonly reason: string };

/** Tells a process that it is started to take the place of its parent: {@link successorOf}. */
export const SUCCESSOR = 'MOONWIRE_SUCCESSOR';
/**
 * Of what the two say and hand over. Raised with every change that another version would misread: then the new version
 * refuses, and the old one goes on.
 */
const FORMAT = 1;

/** What {@link SUCCESSOR} says of a process with so many workers, 0 for an engine in one process. */
export function successorOf(workers: number): string {
  return `${FORMAT}/${workers}`;
}

/**
 * A descriptor that the new process and its workers have open as long as they live. Its other end, in the old process,
 * closes when the last of them is gone.
 */
export const LIFELINE = 4;
/** For tests: the step at which a restart waits, so that a process can be killed there. */
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

/** Waits where a test says so, until the other process is gone or SIGCONT comes; tells that on standard error. */
export async function step(name: Step, other: ChildProcess | NodeJS.Process): Promise<void> {
  if (process.env[PAUSE] !== name) return;
  process.stderr.write(`restart waits at ${name}, process ${process.pid}\n`);
  // A promise alone would let a process end that has nothing else to do.
  const stay = setInterval(() => {}, 1000);
  await Promise.race([once(other, 'disconnect'), once(process, 'SIGCONT')]);
  clearInterval(stay);
}
