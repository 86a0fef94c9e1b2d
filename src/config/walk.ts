/** Looks into values that may be of any shape. */

import type { Step } from './problems.js';

/** The value some steps down, undefined when there is none. */
export function at(value: unknown, ...steps: readonly Step[]): unknown {
  let here = value;
  for (const step of steps) {
    if (typeof here !== 'object' || here === null || !Object.hasOwn(here, step)) return undefined;
    here = (here as Record<Step, unknown>)[step];
  }
  return here;
}

/** The items of the list some steps down, each with its own steps; none when it is not a list. */
export function items(value: unknown, ...steps: readonly Step[]): [Step[], unknown][] {
  const list = at(value, ...steps);
  return Array.isArray(list) ? list.map((item, index) => [[...steps, index], item]) : [];
}
