/** Protobuf messages to plain values and back, for every codec with a Protobuf schema. */
import type { Enum, Field, Type } from 'protobufjs';
import { MoonwireError, messageOf } from '../errors.js';
import { fromBigInt, toBigInt } from './integers.js';
import { MAX_DEPTH } from './plain.js';

/**
 * Bytes as a plain object: fields under the names of the schema, 64-bit integers as numbers or decimal strings, enum
 * values by name (unknown ones as numbers), bytes as Uint8Array. Absent fields are left out, or, when `defaults` is
 * set, have their default.
 * @throws MoonwireError `decode_error`
 */
export function decodeMessage(type: Type, bytes: Uint8Array, defaults = false): Record<string, unknown> {
  try {
    const message = type.decode(bytes);
    return settle(type.toObject(message, { longs: BigInt, enums: String, defaults })) as Record<
      string,
      unknown
    >;
  } catch (error) {
    throw new MoonwireError('decode_error', `${type.name}: ${messageOf(error)}`, undefined, { cause: error });
  }
}

/** Bytes of a plain object. @throws MoonwireError `invalid_argument` naming the field and what it may be. */
export function encodeMessage(type: Type, value: unknown): Uint8Array {
  const message = messageOfPlain(type, value, type.name, 0);
  try {
    return type.encode(message as never).finish();
  } catch (error) {
    throw new MoonwireError('invalid_argument', `${type.name}: ${messageOf(error)}`, undefined, {
      cause: error,
    });
  }
}

/** Bigints as numbers or decimal strings. */
function settle(value: unknown): unknown {
  if (typeof value === 'bigint') return fromBigInt(value);
  if (Array.isArray(value)) return value.map(settle);
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, settle(item)]));
}

function messageOfPlain(type: Type, value: unknown, place: string, depth: number): object {
  if (depth > MAX_DEPTH) throw refused(place, `nested deeper than ${MAX_DEPTH}`);
  const message = type.create() as unknown as Record<string, unknown>;
  for (const [key, item] of entriesOf(value, place)) {
    // Names of the schema only: `fields` is a plain object with a prototype.
    const field = Object.hasOwn(type.fields, key) ? type.fields[key] : undefined;
    if (!field)
      throw refused(place, `has no field "${key}"; there are ${Object.keys(type.fields).join(', ')}`);
    if (item === undefined || item === null) continue;
    message[field.name] = fieldOfPlain(field.resolve(), item, `${place}.${key}`, depth);
  }
  return message;
}

function fieldOfPlain(field: Field, value: unknown, place: string, depth: number): unknown {
  const one = (item: unknown) => scalarOrMessage(field, item, place, depth);
  if (field.map) {
    const { keyType } = field as Field & { keyType: string };
    const entries = entriesOf(value, place, 1).map(([key, item]) => [mapKey(keyType, key, place), one(item)]);
    return Object.fromEntries(entries);
  }
  if (!field.repeated) return one(value);
  if (!Array.isArray(value)) throw refused(place, 'must be a list');
  return value.map(one);
}

/** The keys of a map field are strings in JavaScript whatever their type; protobufjs takes 64-bit ones as hashes. */
function mapKey(keyType: string, key: string, place: string): string {
  if (keyType === 'string' || keyType === 'bool') return key;
  const [min, max] = INTEGERS[keyType]!;
  const number = toBigInt(key);
  if (number === undefined || number < min || number > max)
    throw refused(place, `needs keys of type ${keyType}`);
  if (!keyType.endsWith('64')) return key;
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt.asUintN(64, number));
  return bytes.toString('latin1');
}

function scalarOrMessage(field: Field, value: unknown, place: string, depth: number): unknown {
  const resolved = field.resolvedType as Type | Enum | null;
  if (resolved && 'fields' in resolved) return messageOfPlain(resolved, value, place, depth + 1);
  if (resolved) return enumOfPlain(resolved, value, place);
  const wrong = () => refused(place, `must be of type ${field.type}`);
  switch (field.type) {
    case 'double':
    case 'float':
      if (typeof value !== 'number') throw wrong();
      return value;
    case 'bool':
      if (typeof value !== 'boolean') throw wrong();
      return value;
    case 'string':
      if (typeof value !== 'string') throw wrong();
      return value;
    case 'bytes':
      if (typeof value === 'string') return Buffer.from(value, 'utf8');
      if (!(value instanceof Uint8Array)) throw wrong();
      return value;
    default: {
      const [min, max] = INTEGERS[field.type]!;
      const number = toBigInt(value);
      if (number === undefined || number < min || number > max) throw wrong();
      return field.type.endsWith('64') ? number.toString() : Number(number);
    }
  }
}

function enumOfPlain(type: Enum, value: unknown, place: string): number {
  if (typeof value === 'string' && Object.hasOwn(type.values, value)) return type.values[value]!;
  if (typeof value === 'number' && Number.isInteger(value) && Math.abs(value) <= 2 ** 31) return value | 0;
  throw refused(place, `must be one of ${Object.keys(type.values).slice(0, 20).join(', ')}, or a number`);
}

/** The entries of an object, a Map or a list, which is what a table with the keys 1…n becomes. */
function entriesOf(value: unknown, place: string, first = 0): [string, unknown][] {
  if (value instanceof Map) return [...value].map(([key, item]) => [String(key), item]);
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array)
    throw refused(place, 'must be a table');
  return Array.isArray(value) ? value.map((item, i) => [String(i + first), item]) : Object.entries(value);
}

const SIGNED32: [bigint, bigint] = [-(2n ** 31n), 2n ** 31n - 1n];
const UNSIGNED32: [bigint, bigint] = [0n, 2n ** 32n - 1n];
const SIGNED64: [bigint, bigint] = [-(2n ** 63n), 2n ** 63n - 1n];
const UNSIGNED64: [bigint, bigint] = [0n, 2n ** 64n - 1n];

/** The range of each integer type. */
const INTEGERS: Readonly<Record<string, [bigint, bigint]>> = {
  int32: SIGNED32,
  sint32: SIGNED32,
  sfixed32: SIGNED32,
  uint32: UNSIGNED32,
  fixed32: UNSIGNED32,
  int64: SIGNED64,
  sint64: SIGNED64,
  sfixed64: SIGNED64,
  uint64: UNSIGNED64,
  fixed64: UNSIGNED64,
};

function refused(place: string, problem: string): MoonwireError {
  return new MoonwireError('invalid_argument', `${place} ${problem}`);
}
