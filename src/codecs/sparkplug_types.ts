/** The data types of Sparkplug B (3.0.0, 6.4.1): their numbers, and how simple values and arrays stand in a payload. */
import { MoonwireError } from '../errors.js';
import { fromBigInt, toBigInt } from './integers.js';

/** Type names by their numbers; 0 is unknown. */
export const TYPE_NAMES = [
  'Unknown',
  'Int8',
  'Int16',
  'Int32',
  'Int64',
  'UInt8',
  'UInt16',
  'UInt32',
  'UInt64',
  'Float',
  'Double',
  'Boolean',
  'String',
  'DateTime',
  'Text',
  'UUID',
  'DataSet',
  'Bytes',
  'File',
  'Template',
  'PropertySet',
  'PropertySetList',
  'Int8Array',
  'Int16Array',
  'Int32Array',
  'Int64Array',
  'UInt8Array',
  'UInt16Array',
  'UInt32Array',
  'UInt64Array',
  'FloatArray',
  'DoubleArray',
  'BooleanArray',
  'StringArray',
  'DateTimeArray',
] as const;

/** The name of a type number; unknown numbers stay numbers. */
export function typeName(number: number): string | number {
  return TYPE_NAMES[number] ?? number;
}

/** The number of a type given by name or number. @throws MoonwireError `invalid_argument` */
export function typeNumber(type: unknown): number {
  const number = typeof type === 'number' ? type : TYPE_NAMES.indexOf(type as (typeof TYPE_NAMES)[number]);
  if (TYPE_NAMES[number] === undefined) throw refused(`there is no type ${String(type)}`);
  return number;
}

/** A fixed-size element: its size in bytes, and reading and writing it. Integers may be bigints. */
interface Element {
  readonly size: number;
  read(view: DataView, at: number): number | bigint;
  write(view: DataView, at: number, value: number | bigint): void;
}

function integer(bits: 8 | 16 | 32, signed: boolean): Element {
  const kind = `${signed ? 'Int' : 'Uint'}${bits}` as const;
  return {
    size: bits / 8,
    read: (view, at) => view[`get${kind}`](at, true),
    write: (view, at, value) => view[`set${kind}`](at, Number(value), true),
  };
}

const LONG: Element = {
  size: 8,
  read: (view, at) => view.getBigInt64(at, true),
  write: (view, at, value) => view.setBigInt64(at, BigInt(value), true),
};
const UNSIGNED_LONG: Element = {
  size: 8,
  read: (view, at) => view.getBigUint64(at, true),
  write: (view, at, value) => view.setBigUint64(at, BigInt(value), true),
};
const REALS: Readonly<Record<string, Element>> = {
  Float: {
    size: 4,
    read: (view, at) => view.getFloat32(at, true),
    write: (view, at, value) => view.setFloat32(at, Number(value), true),
  },
  Double: {
    size: 8,
    read: (view, at) => view.getFloat64(at, true),
    write: (view, at, value) => view.setFloat64(at, Number(value), true),
  },
};
const INTEGERS: Readonly<Record<string, Element>> = {
  Int8: integer(8, true),
  Int16: integer(16, true),
  Int32: integer(32, true),
  Int64: LONG,
  UInt8: integer(8, false),
  UInt16: integer(16, false),
  UInt32: integer(32, false),
  UInt64: UNSIGNED_LONG,
  DateTime: UNSIGNED_LONG,
};
const ELEMENTS: Readonly<Record<string, Element>> = { ...INTEGERS, ...REALS };

/** The field that holds a simple value of a type. */
const FIELDS: Readonly<Record<string, string>> = {
  Int8: 'int_value',
  Int16: 'int_value',
  Int32: 'int_value',
  UInt8: 'int_value',
  UInt16: 'int_value',
  UInt32: 'int_value',
  Int64: 'long_value',
  UInt64: 'long_value',
  DateTime: 'long_value',
  Float: 'float_value',
  Double: 'double_value',
  Boolean: 'boolean_value',
  String: 'string_value',
  Text: 'string_value',
  UUID: 'string_value',
};

/** What a simple value, or an array, in one of the fields of a message means. */
export function readValue(type: string | number | undefined, raw: unknown): unknown {
  if (typeof type !== 'string') return raw;
  // Negative integers travel as two's complement of 32 or 64 bits.
  const int = INTEGERS[type];
  if (int) {
    const value = toBigInt(raw);
    if (value === undefined) return raw;
    const bits = int.size * 8;
    return fromBigInt(type.startsWith('Int') ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value));
  }
  return type.endsWith('Array') && raw instanceof Uint8Array ? readArray(type.slice(0, -5), raw) : raw;
}

/** A value as the field and content it is written in. @throws MoonwireError `invalid_argument` */
export function writeValue(type: string, value: unknown): [field: string, content: unknown] {
  if (type.endsWith('Array')) return ['bytes_value', writeArray(type.slice(0, -5), value)];
  if (type === 'Bytes' || type === 'File') return ['bytes_value', value];
  const field = FIELDS[type];
  if (field === undefined) throw refused(`a value of type ${type} cannot stand here`);
  if (!INTEGERS[type]) return [field, value];
  const number = integerOf(type, value);
  return [field, BigInt.asUintN(field === 'int_value' ? 32 : 64, number).toString()];
}

function integerOf(type: string, value: unknown): bigint {
  const number = toBigInt(value);
  const bits = INTEGERS[type]!.size * 8;
  const fits =
    number !== undefined &&
    (type.startsWith('Int') ? BigInt.asIntN(bits, number) : BigInt.asUintN(bits, number)) === number;
  if (!fits) throw refused(`the value is no ${type}`);
  return number;
}

function readArray(type: string, bytes: Uint8Array): unknown[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (type === 'String') {
    const texts = Buffer.from(bytes).toString('utf8').split('\0');
    // Each ends with a zero, so nothing is left behind the last.
    return texts.at(-1) === '' ? texts.slice(0, -1) : texts;
  }
  if (type === 'Boolean') {
    const count = bytes.length < 4 ? 0 : view.getUint32(0, true);
    if (count > (bytes.length - 4) * 8) throw cut(type);
    return Array.from({ length: count }, (_, i) => ((bytes[4 + (i >> 3)]! >> (7 - (i & 7))) & 1) === 1);
  }
  const { size, read } = ELEMENTS[type]!;
  if (bytes.length % size !== 0) throw cut(type);
  return Array.from({ length: bytes.length / size }, (_, i) => {
    const value = read(view, i * size);
    return typeof value === 'bigint' ? fromBigInt(value) : value;
  });
}

function writeArray(type: string, value: unknown): Uint8Array {
  if (!Array.isArray(value)) throw refused(`a value of type ${type}Array is a list`);
  if (type === 'String') return Buffer.from(value.map((text) => `${text}\0`).join(''), 'utf8');
  if (type === 'Boolean') {
    const bytes = Buffer.alloc(4 + Math.ceil(value.length / 8));
    bytes.writeUInt32LE(value.length);
    value.forEach((bit, i) => {
      if (bit === true) bytes[4 + (i >> 3)]! |= 0x80 >> (i & 7);
    });
    return bytes;
  }
  const element = ELEMENTS[type]!;
  const bytes = new Uint8Array(value.length * element.size);
  const view = new DataView(bytes.buffer);
  value.forEach((item, i) => {
    if (!INTEGERS[type] && typeof item !== 'number') throw refused(`the value is no ${type}`);
    element.write(view, i * element.size, INTEGERS[type] ? integerOf(type, item) : (item as number));
  });
  return bytes;
}

function cut(type: string): MoonwireError {
  return new MoonwireError('decode_error', `Sparkplug B: a ${type}Array that is cut short`);
}

function refused(problem: string): MoonwireError {
  return new MoonwireError('invalid_argument', `Sparkplug B: ${problem}`);
}
