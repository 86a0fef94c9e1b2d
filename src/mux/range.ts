/** The check of every number that comes from outside. */
import { MoonwireError } from '../errors.js';

/** Returns `value` if it is a whole number from `least` to `most`, else throws MoonwireError `invalid_argument`. */
export function checkedNumber(name: string, value: number, least: number, most: number): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new MoonwireError(
    'invalid_argument',
    `${name} must be a whole number from ${least} to ${most}, not ${value}`,
    name,
  );
}
