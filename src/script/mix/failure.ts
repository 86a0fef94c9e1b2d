/** How the errors of lower layers reach scripts: what the data caused as values, what the script caused raised. */

import { MoonwireError, messageOf } from '../../errors.js';
import { Failure } from '../api.js';
import { LuaError } from '../executor.js';

/** The script gets the error as `nil, "code: message"`. */
export function failureOf(error: unknown): Failure {
  if (error instanceof MoonwireError) return new Failure(`${error.code}: ${error.message}`);
  throw error;
}

/** Runs what fails only by misuse: its error is raised in the script. */
export function orRaise<Result>(work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    if (error instanceof MoonwireError) throw new LuaError(messageOf(error));
    throw error;
  }
}

/** Runs what can fail by its data: its error becomes a value. */
export function orFailure<Result>(work: () => Result): Result | Failure {
  try {
    return work();
  } catch (error) {
    return failureOf(error);
  }
}
