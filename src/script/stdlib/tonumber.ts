/** `tonumber`, with and without a base. */

import { Arguments } from '../arguments.js';
import type { Executor, Native } from '../executor.js';

const SPACE = '[ \\t\\n\\v\\f\\r]*';
const WITH_BASE = new RegExp(`^${SPACE}(-?)([0-9a-z]+)${SPACE}$`, 'i');

/** Lua's `tonumber`. */
export const toNumber: Native = (ex, args) => {
  const a = new Arguments(ex, 'tonumber', args);
  if (a.value(2) === undefined) {
    const value = a.any(1);
    return typeof value === 'number' || typeof value === 'string' ? numeral(ex, value) : undefined;
  }
  const base = a.integer(2);
  if (base < 2 || base > 36) a.fail(2, 'base out of range');
  const [, sign, digits = ''] = WITH_BASE.exec(a.string(1)) ?? [];
  let n = 0;
  for (const digit of digits) {
    const d = Number.parseInt(digit, 36);
    if (d >= base) return undefined;
    n = n * base + d;
  }
  return digits === '' ? undefined : sign === '-' ? -n : n;
};

function numeral(ex: Executor, value: string | number): number | undefined {
  try {
    return new Arguments(ex, 'tonumber', [value]).number(1);
  } catch {
    return undefined;
  }
}
