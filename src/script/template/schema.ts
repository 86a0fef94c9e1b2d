/** What a device template may say: `lua/templates/devices/*.yaml`. Rules between settings are in `rules.ts`. */

import * as v from 'valibot';

/** Where a value lives (MODBUS Application Protocol V1.1b3, 4.3). */
export const TABLES = ['holding', 'input', 'coil', 'discrete'] as const;
/** Registers each type takes; those without a number say their own `length`. */
export const REGISTERS = {
  u16: 1,
  s16: 1,
  u32: 2,
  s32: 2,
  u64: 4,
  s64: 4,
  f32: 2,
  f64: 4,
  string: undefined,
  bcd: undefined,
} as const;

/** Most points of a template. */
const MAX_POINTS = 512;
/** Most registers one request may read (V1.1b3, 6.3). */
export const MAX_REGISTERS = 125;

const oneOf = <const T extends readonly string[]>(words: T) =>
  v.picklist(words, `must be one of ${words.join(', ')}`);
const text = v.pipe(
  v.string('must be text'),
  v.minLength(1, 'must not be empty'),
  v.maxLength(500, 'is too long: at most 500 characters'),
);
const word = v.pipe(
  v.string('must be text'),
  v.regex(/^[a-z][a-z0-9_]{0,62}$/, 'must be lower-case letters, digits and _ (at most 63, a letter first)'),
);
const whole = (least: number, most: number) => {
  const message = `must be a whole number from ${least} to ${most}`;
  return v.pipe(v.number(message), v.integer(message), v.minValue(least, message), v.maxValue(most, message));
};
const number = (least: number, most: number) => {
  const message = `must be a number from ${least} to ${most}`;
  return v.pipe(v.number(message), v.minValue(least, message), v.maxValue(most, message));
};
const finite = v.pipe(v.number('must be a number'), v.finite('must be finite'));

/** A map with these settings and no others. */
const settings = <const T extends v.ObjectEntries>(entries: T, whose: string) =>
  v.strictObject(entries, (issue) => {
    if (issue.expected === 'never') return `is no setting of ${whose}`;
    return issue.input === undefined ? 'is missing' : 'must be a map';
  });

/** One bit, or the first and last of several, counted from 0, the lowest. */
const bit = v.union(
  [
    whole(0, 31),
    v.pipe(
      v.strictTuple([whole(0, 31), whole(0, 31)]),
      v.check(([first, last]) => first <= last),
    ),
  ],
  'must be a bit from 0 to 31, or [first, last]',
);

/** What may stand in `defaults` too. */
const common = {
  table: v.optional(oneOf(TABLES)),
  type: v.optional(oneOf(Object.keys(REGISTERS) as (keyof typeof REGISTERS)[])),
  /** Order of the two bytes of a register; Modbus has the high one first. */
  byteOrder: v.optional(oneOf(['big', 'little'])),
  /** Order of the registers of a value. */
  wordOrder: v.optional(oneOf(['big', 'little'])),
  access: v.optional(oneOf(['read', 'write', 'readwrite'])),
  group: v.optional(word),
};

const point = settings(
  {
    ...common,
    name: word,
    /** Its address on the wire, from 0: 40001 and 30001 of many manuals are 0. */
    register: whole(0, 65_535),
    /** Registers of a string or of BCD digits. */
    length: v.optional(whole(1, MAX_REGISTERS)),
    /** value = raw × scale + offset. */
    scale: v.optional(v.pipe(finite, v.notValue(0, 'must not be 0'))),
    offset: v.optional(finite),
    /** Name of the point that holds a power of ten to multiply with, as in SunSpec. */
    scaleFrom: v.optional(word),
    unit: v.optional(v.pipe(text, v.maxLength(20, 'is too long: at most 20 characters'))),
    /** What raw numbers mean. */
    enum: v.optional(
      v.pipe(
        v.record(v.pipe(v.string(), v.regex(/^-?\d{1,10}$/, 'must be a whole number')), text),
        v.maxEntries(256, 'has too many entries: at most 256'),
      ),
    ),
    /** Fields of bits by their names. */
    bits: v.optional(v.pipe(v.record(word, bit), v.minEntries(1, 'needs at least one field'))),
    /** Raw numbers that mean "no value here". */
    invalid: v.optional(v.pipe(v.array(finite), v.maxLength(8, 'has too many entries: at most 8'))),
    /** Smallest change that is worth a report. */
    deadband: v.optional(number(0, 1e12)),
  },
  'a point',
);

/** The file. */
export const templateSchema = settings(
  {
    /** Maker and model, for people. */
    title: text,
    /** The documents the registers come from. */
    source: v.pipe(
      v.array(settings({ title: text, url: v.optional(text) }, 'a document'), 'must be a list'),
      v.minLength(1, 'needs at least one document'),
      v.maxLength(8, 'has too many entries: at most 8'),
    ),
    notes: v.optional(v.pipe(v.string('must be text'), v.maxLength(4000))),
    /** How the device's line is set when it leaves the factory. */
    serial: v.optional(
      settings(
        {
          baudRate: whole(50, 4_000_000),
          parity: v.optional(oneOf(['none', 'even', 'odd']), 'none'),
          stopBits: v.optional(whole(1, 2), 1),
        },
        'serial',
      ),
    ),
    /** Its unit when it leaves the factory. */
    unit: v.optional(whole(1, 255)),
    requests: v.optional(
      settings(
        {
          /** Most registers of a request. */
          size: v.optional(whole(1, MAX_REGISTERS), MAX_REGISTERS),
          /** Most registers nobody asked for that are read along to save a request. */
          gap: v.optional(whole(0, MAX_REGISTERS - 1), 8),
        },
        'requests',
      ),
      {},
    ),
    /** Seconds between two polls of each group. */
    groups: v.optional(v.record(word, number(0.1, 86_400)), {}),
    defaults: v.optional(settings(common, 'the defaults'), {}),
    points: v.pipe(
      v.array(point, 'must be a list'),
      v.minLength(1, 'needs at least one point'),
      v.maxLength(MAX_POINTS, `has too many points: at most ${MAX_POINTS}`),
    ),
  },
  'a template',
);

/** A template as it is written. */
export type WrittenTemplate = v.InferOutput<typeof templateSchema>;
/** One of its points. */
export type WrittenPoint = WrittenTemplate['points'][number];

/** A field of bits: `count` of them from `first` on, counted from 0, the lowest. */
export interface BitField {
  readonly name: string;
  readonly first: number;
  readonly count: number;
}

/** A point with everything said: defaults applied, registers counted. */
export interface Point extends Omit<WrittenPoint, 'bits' | 'length' | 'table' | 'type'> {
  readonly table: (typeof TABLES)[number];
  /** `bool` for coils and discrete inputs. */
  readonly type: keyof typeof REGISTERS | 'bool';
  /** Registers, or bits of a coil or discrete input. */
  readonly count: number;
  readonly bits?: readonly BitField[];
}

/** A template that can be used. */
export interface Template extends Omit<WrittenTemplate, 'points' | 'defaults'> {
  readonly points: readonly Point[];
}
