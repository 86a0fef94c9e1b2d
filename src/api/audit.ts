/** A line of the log for everything the API changed or tried to: who, what, to what, and how it ended. */

import { messageOf } from '../errors.js';
import type { Logger } from '../log.js';
import type { Caller } from './access.js';

/** Runs a change and logs it, never with its data. */
export async function audited<T>(
  log: Logger,
  caller: Caller,
  action: string,
  target: string,
  change: () => T | Promise<T>,
): Promise<T> {
  const facts = { user: caller.user, address: caller.address, action, target };
  try {
    const result = await change();
    log.info(`${action} ${target}`, { ...facts, outcome: 'done' });
    return result;
  } catch (error) {
    log.info(`${action} ${target}`, { ...facts, outcome: messageOf(error) });
    throw error;
  }
}
