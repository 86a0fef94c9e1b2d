/**
 * The kinds of value a setting can have. Each reads what the file says into the form the program uses, and
 * refuses what is out of its range with a message that names the range.
 *
 * Numbers, durations, sizes and switches also accept their text form, because an expanded `${VARIABLE}` is text.
 * Each kind carries a fragment of JSON Schema as metadata, from which `json-schema.ts` makes the editors' schema.
 */

import { isIP } from 'node:net';
import * as v from 'valibot';
import { formatDuration, formatSize, parseDuration, parseSize } from './measures.js';
import { show, suggest } from './problems.js';

/** A schema that reads anything into a `T`. */
export type Reader<T> = v.GenericSchema<unknown, T>;

/** A plain map as the YAML reader makes it. */
type PlainMap = Record<string, unknown>;

function isMap(value: unknown): value is PlainMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A setting read by `read`, which returns undefined for what is not `expected`. */
export function reader<T>(
  expected: string,
  read: (value: unknown) => T | undefined,
  json: object,
  describe: (value: unknown) => string = show,
): Reader<T> {
  return v.pipe(
    v.unknown(),
    v.rawTransform<unknown, T>(({ dataset, addIssue, NEVER }) => {
      const result = read(dataset.value);
      if (result !== undefined) return result;
      addIssue({ message: `must be ${expected}, got ${describe(dataset.value)}` });
      return NEVER;
    }),
    v.metadata({ json }),
  );
}

/** A whole number from `min` to `max`. */
export function wholeNumber(min: number, max: number): Reader<number> {
  const read = (value: unknown): number | undefined => {
    const number = typeof value === 'string' && /^-?\d{1,16}$/.test(value.trim()) ? Number(value) : value;
    return Number.isSafeInteger(number) && within(number as number, min, max)
      ? (number as number)
      : undefined;
  };
  return reader(`a whole number from ${min} to ${max}`, read, {
    type: 'integer',
    minimum: min,
    maximum: max,
  });
}

/** A port number from 0 (any free port) or 1 to 65535. */
export function port(min: 0 | 1 = 0): Reader<number> {
  return wholeNumber(min, 65_535);
}

/** A duration of `min` to `max` seconds; the result is in seconds. */
export function duration(min: number, max: number): Reader<number> {
  const range = `${formatDuration(min)} to ${formatDuration(max)}`;
  return reader(
    `a duration from ${range} (such as 90, 5s, 10m or 7d)`,
    (value) => {
      const seconds = parseDuration(value);
      return seconds !== undefined && within(seconds, min, max) ? seconds : undefined;
    },
    { type: ['number', 'string'] },
  );
}

/** A size of `min` to `max` bytes; the result is in bytes. */
export function size(min: number, max: number): Reader<number> {
  const range = `${formatSize(min)} to ${formatSize(max)}`;
  return reader(
    `a size from ${range} (such as 65536, 64KiB or 8MiB)`,
    (value) => {
      const bytes = parseSize(value);
      return bytes !== undefined && within(bytes, min, max) ? bytes : undefined;
    },
    { type: ['integer', 'string'] },
  );
}

/** true or false. */
export function flag(): Reader<boolean> {
  const read = (value: unknown): boolean | undefined => {
    if (typeof value === 'boolean') return value;
    return value === 'true' ? true : value === 'false' ? false : undefined;
  };
  return reader('true or false', read, { type: 'boolean' });
}

/** One of some words. */
export function choice<const T extends string>(words: readonly T[]): Reader<T> {
  const read = (value: unknown): T | undefined => words.find((word) => word === value);
  return reader(`one of ${words.join(', ')}`, read, { enum: words });
}

/** One of some numbers. */
export function numberOf<const T extends number>(numbers: readonly T[]): Reader<T> {
  const read = (value: unknown): T | undefined =>
    numbers.find((number) => number === value || String(number) === value);
  return reader(`one of ${numbers.join(', ')}`, read, { enum: numbers });
}

/** Text of 1 to `max` characters. What was given is never repeated in a message: it may be a secret. */
export function text(max: number, what = 'text'): Reader<string> {
  return reader(
    `${what} of 1 to ${max} characters`,
    (value) => (typeof value === 'string' && within(value.length, 1, max) ? value : undefined),
    { type: 'string', minLength: 1, maxLength: max },
    describeHidden,
  );
}

function describeHidden(value: unknown): string {
  if (typeof value === 'string') return `${value.length} characters`;
  if (typeof value === 'number' || typeof value === 'boolean') return `a ${typeof value}: put it in quotes`;
  return show(value);
}

/** The value of an HTTP header. What was given is never repeated in a message: it may be a secret. */
export function headerValue(): Reader<string> {
  return reader(
    'text of 1 to 4096 printable ASCII characters',
    (value) => (typeof value === 'string' && /^[\x20-\x7e]{1,4096}$/.test(value) ? value : undefined),
    { type: 'string', maxLength: 4096 },
    () => 'something else',
  );
}

/** The path of a file or folder. */
export function path(): Reader<string> {
  return text(4096, 'a path');
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

/** A name: 1 to 63 letters, digits, dots, underscores or dashes, beginning with a letter or digit. */
export function name(): Reader<string> {
  return reader(
    'a name of 1 to 63 letters, digits, dots, underscores or dashes that begins with a letter or digit',
    (value) => (typeof value === 'string' && NAME.test(value) ? value : undefined),
    { type: 'string', pattern: NAME.source },
  );
}

/** Any text made a well-formed name: what is not allowed in one becomes a dash. */
export function toName(text: string): string {
  const cleaned = text.replace(/[^A-Za-z0-9._-]+/g, '-').replace(/^[^A-Za-z0-9]+/, '');
  return cleaned === '' ? 'unnamed' : cleaned.slice(0, 63);
}

/** A local address to listen on: an IP address or `localhost`. */
export function bindAddress(): Reader<string> {
  return reader(
    'an IP address of this machine or localhost (0.0.0.0 is every IPv4 address, :: every address)',
    (value) =>
      typeof value === 'string' && (value === 'localhost' || isIP(value) !== 0) ? value : undefined,
    { type: 'string' },
  );
}

const HOST =
  /^(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?$/;

/** True for a host name or an IP address. */
export function isHost(value: string): boolean {
  return isIP(value) !== 0 || (value.length <= 253 && HOST.test(value));
}

/** A host name or IP address to connect to. */
export function host(): Reader<string> {
  return reader(
    'a host name or IP address',
    (value) => (typeof value === 'string' && isHost(value) ? value : undefined),
    { type: 'string' },
  );
}

/** A host name or IP address to connect to, or a list of up to `max`; a list either way. */
export function hosts(max: number): Reader<readonly string[]> {
  return reader(
    `a host name or IP address, or a list of at most ${max}`,
    (value) => {
      const written: unknown[] = Array.isArray(value) ? value : [value];
      const isList = written.length >= 1 && written.length <= max;
      return isList && written.every((one) => typeof one === 'string' && isHost(one))
        ? (written as string[])
        : undefined;
    },
    { type: ['string', 'array'] },
  );
}

/** A list of 0 to `max` items. */
export function list<T>(item: Reader<T>, max: number): Reader<T[]> {
  const problem = (value: unknown): string => `must be a list of at most ${max} items, got ${show(value)}`;
  return v.pipe(
    v.array(item, (issue) => problem(issue.input)),
    v.maxLength(max, (issue) => `must be a list of at most ${max} items, got ${issue.input.length}`),
  );
}

/** A map of at most `max` entries whose keys are names. */
export function namedMap<T>(value: Reader<T>, max: number): Reader<Record<string, T>> {
  return v.pipe(
    v.custom<PlainMap>(isMap, (issue) => `must be a map of names to values, got ${show(issue.input)}`),
    v.record(v.pipe(v.string(), v.regex(NAME, 'is not a well-formed name')), value),
    v.maxEntries(max, `must have at most ${max} entries`),
  );
}

/** What a section yields. */
type Settings<E extends v.ObjectEntries> = v.InferOutput<v.ObjectSchema<E, undefined>>;

/** The settings of a section: its keys, each with its schema; other keys are problems. */
export function section<const E extends v.ObjectEntries>(entries: E): Reader<Settings<E>> {
  const known = Object.keys(entries);
  return v.pipe(
    v.custom<PlainMap>(isMap, (issue) => `must be a map of settings, got ${show(issue.input)}`),
    v.looseObject(entries, 'is missing'),
    // A strict object would stop at the first unknown key; all of them are to be told.
    v.rawCheck(({ dataset, addIssue }) => {
      const map = dataset.value as PlainMap;
      for (const key of Object.keys(map)) {
        if (Object.hasOwn(entries, key)) continue;
        const near = suggest(key, known);
        const hint = near === undefined ? `known here: ${known.join(', ')}` : `did you mean ${near}?`;
        addIssue({
          message: `is not a known setting (${hint})`,
          path: [{ type: 'object', origin: 'key', input: map, key, value: map[key] }],
        });
      }
    }),
    v.transform((settings): Settings<E> => settings),
  );
}

/** A setting with a default, given as it would be written in the file. */
export function setting<T>(schema: Reader<T>, fallback: NonNullable<unknown>, about: string) {
  return v.optional(v.pipe(schema, v.description(about)), fallback);
}

/** A setting that may be left out; then it is undefined. */
export function optional<T>(schema: Reader<T>, about: string) {
  return v.optional(v.pipe(schema, v.description(about)));
}

/** A setting that has to be there. */
export function required<T>(schema: Reader<T>, about: string): Reader<T> {
  return v.pipe(schema, v.description(about));
}

function within(value: number, min: number, max: number): boolean {
  return value >= min && value <= max;
}
