/** Sparkplug B payloads (Eclipse Sparkplug 3.0.0, 6.4), by protobufjs. */
import type { Type } from 'protobufjs';
import { MoonwireError } from '../errors.js';
import type { Codec } from './codec.js';
import { plain } from './plain.js';
import { loadProtobuf } from './protobuf_schemas.js';
import { decodeMessage, encodeMessage } from './protobuf_values.js';
import { SPARKPLUG_SCHEMA } from './sparkplug_schema.js';
import { readValue, typeName, typeNumber, writeValue } from './sparkplug_types.js';

type Fields = Record<string, unknown>;

/**
 * `{timestamp, seq, metrics = {{name, alias, timestamp, type, value, …}, …}}` with the names of the specification:
 * `type` as "Int8", "DataSet" …, `value` as a number (64-bit integers beyond 2^53 as decimal strings), boolean, text,
 * bytes, list (array types), `{columns, types, rows}` (DataSet) or `{version, metrics, parameters, template_ref,
 * is_definition}` (Template). `properties` are a table of `{type, value}` by key. Timestamps are milliseconds, as on
 * the wire. A metric without a type (as data messages send them) has its value as it travels: unsigned.
 */
export function sparkplugCodec(): Codec {
  let payload: Type | undefined;
  const type = () => {
    payload ??= loadProtobuf().Root.fromJSON(SPARKPLUG_SCHEMA).lookupType('Payload');
    return payload;
  };
  return {
    name: 'sparkplug_b',

    encode(value) {
      const { metrics = [], ...rest } = fieldsOf(
        plain(
          value,
          (bytes) => bytes,
          (integer) => integer,
        ),
        'the payload',
      );
      return encodeMessage(type(), { ...rest, metrics: listOf(metrics, 'metrics').map(writeMetric) });
    },

    decode(bytes) {
      const { metrics, ...rest } = decodeMessage(type(), bytes);
      return { ...rest, metrics: ((metrics ?? []) as Fields[]).map(readMetric) };
    },
  };
}

// -- Reading ----------------------------------------------------------------------------------------------------------

/** Splits off the field that holds the value. */
function split(message: Fields): { rest: Fields; raw: unknown } {
  const entries = Object.entries(message);
  const value = entries.find(([name]) => name.endsWith('_value'));
  return { rest: Object.fromEntries(entries.filter((entry) => entry !== value)), raw: value?.[1] };
}

function readMetric(metric: Fields): Fields {
  const { rest, raw } = split(metric);
  const { datatype, properties, ...own } = rest;
  const type = datatype === undefined ? undefined : typeName(datatype as number);
  return {
    ...own,
    ...(type !== undefined && { type }),
    ...(raw !== undefined && { value: readComplex(metric, type, raw) }),
    ...(properties !== undefined && { properties: readProperties(properties as Fields) }),
  };
}

function readComplex(metric: Fields, type: string | number | undefined, raw: unknown): unknown {
  if (metric.dataset_value) return readDataSet(raw as Fields);
  if (!metric.template_value) return readValue(type, raw);
  const { metrics, parameters, ...own } = raw as Fields;
  return {
    ...own,
    ...(metrics !== undefined && { metrics: (metrics as Fields[]).map(readMetric) }),
    ...(parameters !== undefined && { parameters: (parameters as Fields[]).map(readTyped) }),
  };
}

/** A parameter or a property: a value beside its type. */
function readTyped(message: Fields): Fields {
  const { rest, raw } = split(message);
  const type = rest.type === undefined ? undefined : typeName(rest.type as number);
  let value = raw === undefined ? undefined : readValue(type, raw);
  if (message.propertyset_value) value = readProperties(raw as Fields);
  if (message.propertysets_value) {
    value = (((raw as Fields).propertyset ?? []) as Fields[]).map(readProperties);
  }
  return { ...rest, ...(type !== undefined && { type }), ...(value !== undefined && { value }) };
}

function readProperties({ keys = [], values = [] }: Fields): Fields {
  const items = (values as Fields[]).map(readTyped);
  return Object.fromEntries((keys as string[]).slice(0, items.length).map((key, i) => [key, items[i]]));
}

function readDataSet(set: Fields): Fields {
  const types = ((set.types ?? []) as number[]).map(typeName);
  const rows = ((set.rows ?? []) as Fields[]).map(({ elements = [] }) =>
    (elements as Fields[]).map((element, column) => {
      const { raw } = split(element);
      return raw === undefined ? null : readValue(types[column], raw);
    }),
  );
  return { num_of_columns: set.num_of_columns ?? types.length, columns: set.columns ?? [], types, rows };
}

// -- Writing ----------------------------------------------------------------------------------------------------------

function writeMetric(value: unknown): Fields {
  const { type, value: content, properties, ...own } = fieldsOf(value, 'a metric');
  return {
    ...own,
    ...(type !== undefined && { datatype: typeNumber(type) }),
    ...(properties !== undefined && { properties: writeProperties(properties) }),
    ...(content === undefined || content === null ? { is_null: true } : valueField(type, content)),
  };
}

/** The field of a value, by its type. */
function valueField(type: unknown, value: unknown): Fields {
  if (type === undefined) throw refused('a value needs its type');
  const name = String(typeName(typeNumber(type)));
  switch (name) {
    case 'DataSet':
      return { dataset_value: writeDataSet(value) };
    case 'Template': {
      const { metrics = [], parameters = [], ...own } = fieldsOf(value, 'a template');
      return {
        template_value: {
          ...own,
          metrics: listOf(metrics, 'metrics').map(writeMetric),
          parameters: listOf(parameters, 'parameters').map(writeTyped),
        },
      };
    }
    case 'PropertySet':
      return { propertyset_value: writeProperties(value) };
    case 'PropertySetList':
      return { propertysets_value: { propertyset: listOf(value, 'a PropertySetList').map(writeProperties) } };
    default:
      return Object.fromEntries([writeValue(name, value)]);
  }
}

function writeTyped(item: unknown): Fields {
  const { type, value, ...own } = fieldsOf(item, 'a parameter or property');
  return {
    ...own,
    ...(type !== undefined && { type: typeNumber(type) }),
    ...(value !== undefined && value !== null && valueField(type, value)),
  };
}

function writeProperties(value: unknown): Fields {
  const entries = Object.entries(fieldsOf(value, 'properties'));
  return { keys: entries.map(([key]) => key), values: entries.map(([, item]) => writeTyped(item)) };
}

function writeDataSet(value: unknown): Fields {
  const { columns, types, rows = [] } = fieldsOf(value, 'a DataSet');
  const names = listOf(types, 'types').map((type) => String(typeName(typeNumber(type))));
  if (listOf(columns, 'columns').length !== names.length)
    throw refused('a DataSet needs a type for each column');
  const cell = (item: unknown, column: number) => {
    if (item === undefined || item === null) return {};
    return Object.fromEntries([writeValue(names[column] ?? 'Unknown', item)]);
  };
  return {
    num_of_columns: names.length,
    columns,
    types: names.map(typeNumber),
    rows: listOf(rows, 'rows').map((row) => ({ elements: listOf(row, 'a row').map(cell) })),
  };
}

function fieldsOf(value: unknown, what: string): Fields {
  if (Array.isArray(value) && value.length === 0) return {};
  if (
    typeof value !== 'object' ||
    value === null ||
    Array.isArray(value) ||
    ArrayBuffer.isView(value) ||
    value instanceof Map
  )
    throw refused(`${what} must be a table with names`);
  return value as Fields;
}

function listOf(value: unknown, what: string): unknown[] {
  if (!Array.isArray(value)) throw refused(`${what} must be a list`);
  return value;
}

function refused(problem: string): MoonwireError {
  return new MoonwireError('invalid_argument', `Sparkplug B: ${problem}`);
}
