/** A line of the log for everything the API changed or tried to: who, what, to what, and how it ended. */

import { MoonwireError } from '../errors.js';
import type { Logger } from '../log.js';
import type { Caller } from './access.js';
import { ConnmixError } from './connmix.js';

/** Characters of a target that are logged: it may be a long list. */
const MAX_TARGET = 300;

/** Runs a change and logs it; never its data, which the text of an error may quote. */
export async function audited<T>(
  log: Logger,
  caller: Caller,
  action: string,
  target: string,
  change: () => T | Promise<T>,
): Promise<T> {
  const shown = target.slice(0, MAX_TARGET);
  const report = (outcome: string): void =>
    log.info(`${action} ${shown}`, {
      user: caller.user,
      address: caller.address,
      action,
      target: shown,
      outcome,
    });
  try {
    const result = await change();
    report('done');
    return result;
  } catch (error) {
    report(codeOf(error));
    throw error;
  }
}

function codeOf(error: unknown): string {
  if (error instanceof MoonwireError) return error.code;
  if (error instanceof ConnmixError) return error.reason ?? String(error.code);
  return 'internal';
}
