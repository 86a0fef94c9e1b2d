/**
 * The description of a binary structure, read once from a Lua table or from TypeScript data and checked: what comes
 * out has every name resolved and every default filled in.
 */
import type { Check } from '../bytes/check.js';
import { findCheck } from '../bytes/checksum.js';
import { invalid, Options, tableOf, textOf } from '../bytes/options.js';

/** A value from 0 up that is written down, or read from an earlier field; `less`: all that remains but this many. */
export type Size = { readonly fixed: number } | { readonly field: Reference } | { readonly less: number };

/** An earlier field of the same structure, or bits of one. */
export interface Reference {
  readonly name: string;
  readonly bits: string | undefined;
}

/** Bits `low` to `high` of an integer, 0-based from the least significant; `flag`: one bit, true or false. */
export interface Bits {
  readonly name: string;
  readonly low: number;
  readonly high: number;
  readonly flag: boolean;
}

export interface IntegerField {
  readonly kind: 'integer';
  readonly name: string;
  readonly size: number;
  readonly signed: boolean;
  readonly big: boolean;
  readonly scale: number | undefined;
  readonly bits: readonly Bits[] | undefined;
}

export interface FloatField {
  readonly kind: 'float';
  readonly name: string;
  readonly size: 4 | 8;
  readonly big: boolean;
  readonly scale: number | undefined;
}

export interface BytesField {
  readonly kind: 'bytes' | 'string';
  readonly name: string;
  readonly size: Size;
  readonly trim: Uint8Array | undefined;
}

export type Field =
  | IntegerField
  | FloatField
  | BytesField
  | { readonly kind: 'bcd'; readonly name: string; readonly size: number }
  | { readonly kind: 'array'; readonly name: string; readonly items: Layout | Scalar; readonly count: Size }
  | { readonly kind: 'if'; readonly test: Reference; readonly fields: readonly Field[] }
  | { readonly kind: 'pad'; readonly size: number }
  | {
      readonly kind: 'check';
      readonly check: Check;
      readonly from: number;
      readonly to: number | undefined;
      readonly big: boolean;
    };

/** A field without a name of its own: an array's item. */
export type Scalar = IntegerField | FloatField;

/** The fields of a structure in their order. */
export class Layout {
  constructor(readonly fields: readonly Field[]) {}
}

const MAX_FIELDS = 1000;
const MAX_DEPTH = 16;
const MAX_SIZE = 16 * 1024 * 1024;
const TYPES = 'u8…u64 i8…i64 f32 f64 bcd bytes string array if pad check';

/** Reads a structure's description. @throws MoonwireError `invalid_argument` naming the field and what it may be. */
export function readLayout(spec: unknown, place = 'mix.struct'): Layout {
  const options = new Options(place, spec);
  const big = options.oneOf('endian', ['big', 'little'], 'big') === 'big';
  options.done(true);
  return new Layout(new LayoutReader(place, big, { fields: 0 }, 0).fields(options.list));
}

class LayoutReader {
  /** The fields so far by name; a layout within an array has its own. */
  private readonly known = new Map<string, Field>();

  constructor(
    private readonly place: string,
    private readonly big: boolean,
    /** Fields in the whole description. */
    private readonly total: { fields: number },
    private depth: number,
  ) {}

  fields(list: readonly unknown[]): Field[] {
    if (this.depth > MAX_DEPTH) throw invalid(this.place, `nested deeper than ${MAX_DEPTH}`);
    if (list.length === 0) throw invalid(this.place, 'needs at least one field');
    return list.map((entry, i) => {
      if (++this.total.fields > MAX_FIELDS) throw invalid(this.place, `more than ${MAX_FIELDS} fields`);
      const field = this.field(entry, `${this.place}: field ${i + 1}`);
      if ('name' in field) this.known.set(field.name, field);
      return field;
    });
  }

  private field(entry: unknown, place: string): Field {
    const raw = tableOf(entry);
    const type = raw && textOf(raw.list[0]);
    if (type === undefined) throw invalid(place, `must be a table {type, …} with a type of ${TYPES}`);
    const options = new Options(`${place} (${[type, textOf(raw!.list[1])].join(' ').trim()})`, entry);
    const field = this.typed(type, options);
    options.done(true);
    return field;
  }

  private typed(type: string, options: Options): Field {
    const { list, place } = options;
    const arity = type === 'if' ? 3 : 2;
    if (list.length !== arity) throw invalid(place, `needs ${arity - 1} values after its type`);
    switch (type) {
      case 'pad':
        return { kind: 'pad', size: whole(list[1], 1, MAX_SIZE, place, 'size') };
      case 'check':
        return this.check(options);
      case 'if': {
        const body = tableOf(list[2]);
        if (!body || body.named.size > 0) throw invalid(place, 'needs a list of fields');
        const test = this.reference(list[1], place);
        this.depth++;
        const fields = this.fields(body.list);
        this.depth--;
        return { kind: 'if', test, fields };
      }
      default:
    }
    const name = textOf(list[1]);
    if (!name || name.length > 100) throw invalid(place, 'needs a name of 1 to 100 characters');
    switch (type) {
      case 'bcd':
        return { kind: 'bcd', name, size: options.integer('size', 1, 64) };
      case 'bytes':
      case 'string': {
        const trim = options.raw('trim') === undefined ? undefined : options.bytes('trim');
        return { kind: type, name, size: this.size(options, 'size'), trim };
      }
      case 'array': {
        const items = this.items(options);
        return { kind: 'array', name, items, count: this.size(options, 'count') };
      }
      default:
        return this.scalar(type, name, options);
    }
  }

  private scalar(type: string, name: string, options: Options): Scalar {
    const big = this.endian(options);
    const scale = options.raw('scale') === undefined ? undefined : options.positive('scale', 1e300);
    const [, letter, width] = /^([uif])(8|16|24|32|40|48|56|64)$/.exec(type) ?? [];
    const size = Number(width) / 8;
    if (letter === 'f' && (size === 4 || size === 8)) return { kind: 'float', name, size, big, scale };
    if (letter !== 'u' && letter !== 'i') {
      throw invalid(options.place, `unknown type "${type}"; known are ${TYPES}`);
    }
    const bits = this.bits(options, size);
    if (bits && (scale !== undefined || letter === 'i')) {
      throw invalid(options.place, 'bits need an unsigned integer without scale');
    }
    return { kind: 'integer', name, size, signed: letter === 'i', big, scale, bits };
  }

  private bits(options: Options, size: number): readonly Bits[] | undefined {
    const given = options.raw('bits');
    if (given === undefined) return undefined;
    const { place } = options;
    const table = tableOf(given);
    const top = size * 8;
    if (!table || table.list.length > 0 || table.named.size === 0 || size > 4) {
      throw invalid(
        place,
        'bits must be a table {name = position or {first, last}} on an integer of up to 32 bits',
      );
    }
    let taken = 0;
    return [...table.named].map(([name, value]) => {
      const range = tableOf(value)?.list ?? [value, value];
      const low = whole(range[0], 1, top, place, `bits.${name}`) - 1;
      const high = whole(range[1], low + 1, top, place, `bits.${name}`) - 1;
      const mask = (2 ** (high - low + 1) - 1) * 2 ** low;
      if ((taken & mask) !== 0) throw invalid(place, `bits.${name} overlaps other bits`);
      taken |= mask;
      return { name, low, high, flag: typeof value === 'number' };
    });
  }

  private items(options: Options): Layout | Scalar {
    const of = options.raw('of');
    const type = textOf(of);
    if (type !== undefined) return this.scalar(type, '', new Options(`${options.place}: of`, []));
    const layout = of instanceof Layout ? of : this.nested(new Options(`${options.place}: of`, of));
    if (leastSize(layout.fields) === 0) throw invalid(options.place, 'an item must take at least one byte');
    return layout;
  }

  private nested(options: Options): Layout {
    const big = this.endian(options);
    options.done(true);
    return new Layout(new LayoutReader(options.place, big, this.total, this.depth + 1).fields(options.list));
  }

  private endian(options: Options): boolean {
    return options.oneOf('endian', ['big', 'little'], this.big ? 'big' : 'little') === 'big';
  }

  private check(options: Options): Field {
    const name = textOf(options.list[1]);
    if (name === undefined) throw invalid(options.place, 'needs the name of a check');
    return {
      kind: 'check',
      check: findCheck(name),
      from: options.position('from', 1),
      to: options.raw('to') === undefined ? undefined : options.position('to'),
      big: this.endian(options),
    };
  }

  /** A number; the name of an earlier unsigned integer; or nothing or a negative number: what remains. */
  private size(options: Options, name: 'size' | 'count'): Size {
    const value = options.raw(name);
    if (value === undefined) return { less: 0 };
    if (typeof value === 'number') {
      const least = name === 'size' ? -MAX_SIZE : 0;
      const number = whole(value, least, MAX_SIZE, options.place, name);
      return number < 0 ? { less: -number } : { fixed: number };
    }
    const field = this.reference(value, options.place);
    const target = this.known.get(field.name)!;
    if (target.kind !== 'integer' || target.signed || target.scale !== undefined) {
      throw invalid(options.place, `${name} must name an unsigned integer without scale`);
    }
    if (target.bits?.find((bits) => bits.name === field.bits)?.flag ?? (target.bits && !field.bits)) {
      throw invalid(options.place, `${name} must name a number`);
    }
    return { field };
  }

  private reference(value: unknown, place: string): Reference {
    const path = textOf(value) ?? '';
    if (this.known.has(path)) return { name: path, bits: undefined };
    const dot = path.lastIndexOf('.');
    const name = path.slice(0, Math.max(0, dot));
    const bits = path.slice(dot + 1);
    const field = this.known.get(name);
    if (field?.kind !== 'integer' || !field.bits?.some((item) => item.name === bits)) {
      throw invalid(place, `"${path}" is no earlier field and no bits of one`);
    }
    return { name, bits };
  }
}

/** The bytes that a structure takes at least. */
function leastSize(fields: readonly Field[]): number {
  const sizes = fields.map((field) => {
    switch (field.kind) {
      case 'array':
      case 'if':
        return 0;
      case 'check':
        return field.check.size;
      case 'bytes':
      case 'string':
        return 'fixed' in field.size ? field.size.fixed : 0;
      default:
        return field.size;
    }
  });
  return sizes.reduce((sum, size) => sum + size, 0);
}

function whole(value: unknown, min: number, max: number, place: string, name: string): number {
  if (Number.isInteger(value) && (value as number) >= min && (value as number) <= max) return value as number;
  throw invalid(place, `${name} must be a whole number from ${min} to ${max}`);
}
