/**
 * Reading the options of a framer or a struct, which come from a Lua table or from TypeScript: each is checked
 * against its range, unknown ones are refused, and an error names the option and what is allowed.
 */
import { MoonwireError } from '../errors.js';

/** A table taken apart: its list part and its named part. */
export interface Table {
  readonly list: readonly unknown[];
  readonly named: ReadonlyMap<string, unknown>;
}

/**
 * Takes a table apart. An array is a list; a Map or a plain object may hold both, with 1, 2, … (numbers or
 * decimal strings) as the list's keys. Anything else,
 * and a list with gaps, gives undefined.
 */
export function tableOf(value: unknown): Table | undefined {
  if (Array.isArray(value)) return { list: value, named: new Map() };
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return undefined;
  const list: unknown[] = [];
  const named = new Map<string, unknown>();
  const entries = value instanceof Map ? [...value] : Object.entries(value);
  for (const [key, item] of entries) {
    const index = typeof key === 'string' && /^[1-9]\d*$/.test(key) ? Number(key) : key;
    if (Number.isInteger(index) && index >= 1 && index <= entries.length) list[index - 1] = item;
    else named.set(key instanceof Uint8Array ? Buffer.from(key).toString('latin1') : String(key), item);
  }
  // A gap in the list is a mistake in the table.
  if (list.includes(undefined)) return undefined;
  return { list, named };
}

/** Bytes from a Uint8Array or from a string in which each character is one byte (as Lua's are); else undefined. */
export function bytesOf(value: unknown): Uint8Array | undefined {
  if (value instanceof Uint8Array) return value;
  if (typeof value !== 'string') return undefined;
  for (let i = 0; i < value.length; i++) if (value.charCodeAt(i) > 0xff) return undefined;
  return Buffer.from(value, 'latin1');
}

/** A string from a string or from UTF-8 bytes; else undefined. */
export function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  return value instanceof Uint8Array ? Buffer.from(value).toString('utf8') : undefined;
}

/** What is wrong with an argument, with its place. */
export function invalid(place: string, problem: string): MoonwireError {
  return new MoonwireError('invalid_argument', `${place}: ${problem}`);
}

/** A value as an error message shows it: short. */
function shown(value: unknown): string {
  const text = textOf(value);
  if (text !== undefined) return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
  return typeof value === 'object' ? 'a table' : String(value);
}

/** The options of one call; every reader takes a default for when the option is not given, or requires it. */
export class Options {
  /** The list part. */
  readonly list: readonly unknown[];
  private readonly named: ReadonlyMap<string, unknown>;
  private readonly asked = new Set<string>();

  /** `place` begins every error: the function or field the options belong to. */
  constructor(
    readonly place: string,
    value: unknown,
  ) {
    const table = tableOf(value ?? []);
    if (!table) throw invalid(place, `needs a table of options, not ${shown(value)}`);
    this.list = table.list;
    this.named = table.named;
  }

  /** The option as given; undefined when it is not. */
  raw(name: string): unknown {
    this.asked.add(name);
    return this.named.get(name) ?? undefined;
  }

  private read<T>(
    name: string,
    fallback: T | undefined,
    needs: string,
    parse: (value: unknown) => T | undefined,
  ): T {
    const value = this.raw(name);
    if (value === undefined) {
      if (fallback === undefined) throw invalid(this.place, `${name} is missing: ${needs}`);
      return fallback;
    }
    const parsed = parse(value);
    if (parsed === undefined) throw invalid(this.place, `${name} must be ${needs}, not ${shown(value)}`);
    return parsed;
  }

  /** A whole number from `min` to `max`. */
  integer(name: string, min: number, max: number, fallback?: number): number {
    return this.read(name, fallback, `a whole number from ${min} to ${max}`, (value) =>
      Number.isInteger(value) && (value as number) >= min && (value as number) <= max
        ? (value as number)
        : undefined,
    );
  }

  /** A whole number from `min` to `max`, or a list of up to `most` of them; at least one. */
  integers(name: string, min: number, max: number, most: number): readonly number[] {
    const within = (value: unknown): value is number =>
      Number.isInteger(value) && (value as number) >= min && (value as number) <= max;
    const needs = `a whole number from ${min} to ${max}, or a list of 1 to ${most} of them`;
    return this.read<readonly number[]>(name, undefined, needs, (value) => {
      if (within(value)) return [value];
      const list = tableOf(value)?.list ?? [];
      return list.length >= 1 && list.length <= most && list.every(within) ? list : undefined;
    });
  }

  /** A position as in `string.sub`: a whole number other than 0; negative ones count from the end. */
  position(name: string, fallback?: number): number {
    return this.read(name, fallback, 'a position: a whole number other than 0', (value) =>
      Number.isSafeInteger(value) && value !== 0 ? (value as number) : undefined,
    );
  }

  /** A number above 0, at most `max`. */
  positive(name: string, max: number, fallback?: number): number {
    return this.read(name, fallback, `a number above 0, at most ${max}`, (value) =>
      typeof value === 'number' && value > 0 && value <= max ? value : undefined,
    );
  }

  boolean(name: string, fallback: boolean): boolean {
    return this.read(name, fallback, 'true or false', (value) =>
      typeof value === 'boolean' ? value : undefined,
    );
  }

  /** One of a few words or numbers. */
  oneOf<T extends string | number>(name: string, allowed: readonly T[], fallback?: T): T {
    return this.read(name, fallback, `one of ${allowed.join(', ')}`, (value) => {
      const plain = textOf(value) ?? value;
      return allowed.find((item) => item === plain);
    });
  }

  text(name: string, fallback?: string): string {
    return this.read(name, fallback, 'a string', textOf);
  }

  /** From one to 64 bytes. */
  bytes(name: string, fallback?: Uint8Array): Uint8Array {
    return this.read(name, fallback, 'a string of 1 to 64 bytes', shortBytes);
  }

  /** One string of bytes, or a list of them; none when it is not given. */
  bytesList(name: string): readonly Uint8Array[] {
    return this.read<readonly Uint8Array[]>(
      name,
      [],
      'a string of 1 to 64 bytes, or a list of 1 to 64 of them',
      (value) => {
        const single = shortBytes(value);
        if (single) return [single];
        const table = tableOf(value);
        if (!table || table.named.size > 0 || table.list.length === 0 || table.list.length > 64)
          return undefined;
        const list = table.list.map(shortBytes);
        return list.every((item) => item !== undefined) ? list : undefined;
      },
    );
  }

  /** Options within this option. */
  nested(name: string): Options {
    return new Options(`${this.place}: ${name}`, this.raw(name));
  }

  /** To be called when all are read: refuses options nobody asked for, and a list part unless it was expected. */
  done(list = false): void {
    for (const name of this.named.keys()) {
      if (!this.asked.has(name)) {
        throw invalid(this.place, `unknown option "${name}"; known are ${[...this.asked].join(', ')}`);
      }
    }
    if (!list && this.list.length > 0) throw invalid(this.place, 'takes named options only');
  }
}

function shortBytes(value: unknown): Uint8Array | undefined {
  const bytes = bytesOf(value);
  return bytes && bytes.length >= 1 && bytes.length <= 64 ? bytes : undefined;
}
