/** Checks what comes from outside against a schema, and kinds of value that requests share. */

import * as v from 'valibot';
import { MoonwireError } from '../errors.js';

/** A schema that reads anything into a `T`. */
export type Schema<T = unknown> = v.GenericSchema<unknown, T>;

/** What `schema` makes of `value`. Throws MoonwireError `invalid_argument`, whose `where` is the path to the fault. */
export function check<T>(schema: Schema<T>, value: unknown): T {
  const result = v.safeParse(schema, value, { abortEarly: true });
  if (result.success) return result.output;
  const [issue] = result.issues;
  const path = v.getDotPath(issue) ?? undefined;
  throw new MoonwireError(
    'invalid_argument',
    path === undefined ? issue.message : `${path} ${issue.message}`,
    path,
  );
}

/** A map with these entries; others are ignored. */
export function fields<const E extends v.ObjectEntries>(
  entries: E,
): Schema<v.InferOutput<v.ObjectSchema<E, undefined>>> {
  return v.object(entries, (issue) =>
    issue.expected === 'Object' ? 'must be an object' : 'is missing',
  ) as Schema<v.InferOutput<v.ObjectSchema<E, undefined>>>;
}

/** Text of `min` to `max` bytes of UTF-8. */
export function text(min: number, max: number) {
  const range = `must be text of ${min} to ${max} bytes`;
  return v.pipe(v.string(range), v.minBytes(min, range), v.maxBytes(max, range));
}

const ID = 'must be a client id: a decimal string, or a number, below 2^53';

/** A client id: a decimal string or a JSON number (design §9). */
export const clientId = v.pipe(
  v.union([v.pipe(v.string(), v.regex(/^\d{1,16}$/, ID)), v.number()], ID),
  v.transform(Number),
  v.check((id) => Number.isSafeInteger(id) && id >= 0, ID),
  v.description('Client id.'),
);

/** A whole number in a query. */
export function queryNumber(min: number, max: number) {
  const range = `must be a whole number from ${min} to ${max}`;
  return v.pipe(
    v.string(range),
    v.regex(/^\d{1,15}$/, range),
    v.transform(Number),
    v.check((number) => number >= min && number <= max, range),
    v.metadata({ minimum: min, maximum: max }),
  );
}

/** Seconds in a body. */
export function seconds(min: number, max: number) {
  const range = `must be a number from ${min} to ${max}`;
  return v.pipe(v.number(range), v.minValue(min, range), v.maxValue(max, range));
}
