/** `engine.workers`: how many processes serve devices. */

import { reader } from '../values.js';

const MAX_WORKERS = 64;

/** A number of processes; `auto` is left to the machine that runs them. */
export const workerCount = reader<number | 'auto'>(
  `auto or a whole number from 0 to ${MAX_WORKERS}`,
  (value) => {
    if (value === 'auto') return value;
    const count = typeof value === 'string' && /^\d{1,2}$/.test(value) ? Number(value) : value;
    return Number.isInteger(count) && (count as number) >= 0 && (count as number) <= MAX_WORKERS
      ? (count as number)
      : undefined;
  },
  { anyOf: [{ const: 'auto' }, { type: 'integer', minimum: 0, maximum: MAX_WORKERS }] },
);
