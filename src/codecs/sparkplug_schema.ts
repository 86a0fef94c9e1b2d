/**
 * The Protobuf schema of Sparkplug B payloads (Eclipse Sparkplug 3.0.0, 6.4.1), as protobufjs takes it: proto2, field
 * numbers as published.
 */

/** Fields as `name: [type, number]`; a type in brackets is repeated. */
type Fields = Record<string, [type: string, id: number]>;

/** The fields a value may stand in, numbered from `first` on. */
function valueFields(first: number, ...more: [name: string, type: string][]): Fields {
  const kinds: [string, string][] = [
    ['int_value', 'uint32'],
    ['long_value', 'uint64'],
    ['float_value', 'float'],
    ['double_value', 'double'],
    ['boolean_value', 'bool'],
    ['string_value', 'string'],
    ...more,
  ];
  return Object.fromEntries(kinds.map(([name, type], i) => [name, [type, first + i]]));
}

const MESSAGES: Record<string, Fields> = {
  Payload: {
    timestamp: ['uint64', 1],
    metrics: ['[Metric]', 2],
    seq: ['uint64', 3],
    uuid: ['string', 4],
    body: ['bytes', 5],
  },
  Metric: {
    name: ['string', 1],
    alias: ['uint64', 2],
    timestamp: ['uint64', 3],
    datatype: ['uint32', 4],
    is_historical: ['bool', 5],
    is_transient: ['bool', 6],
    is_null: ['bool', 7],
    metadata: ['MetaData', 8],
    properties: ['PropertySet', 9],
    ...valueFields(
      10,
      ['bytes_value', 'bytes'],
      ['dataset_value', 'DataSet'],
      ['template_value', 'Template'],
    ),
  },
  MetaData: {
    is_multi_part: ['bool', 1],
    content_type: ['string', 2],
    size: ['uint64', 3],
    seq: ['uint64', 4],
    file_name: ['string', 5],
    file_type: ['string', 6],
    md5: ['string', 7],
    description: ['string', 8],
  },
  PropertySet: { keys: ['[string]', 1], values: ['[PropertyValue]', 2] },
  PropertySetList: { propertyset: ['[PropertySet]', 1] },
  PropertyValue: {
    type: ['uint32', 1],
    is_null: ['bool', 2],
    ...valueFields(3, ['propertyset_value', 'PropertySet'], ['propertysets_value', 'PropertySetList']),
  },
  DataSet: {
    num_of_columns: ['uint64', 1],
    columns: ['[string]', 2],
    types: ['[uint32]', 3],
    rows: ['[Row]', 4],
  },
  Row: { elements: ['[DataSetValue]', 1] },
  DataSetValue: valueFields(1),
  Template: {
    version: ['string', 1],
    metrics: ['[Metric]', 2],
    parameters: ['[Parameter]', 3],
    template_ref: ['string', 4],
    is_definition: ['bool', 5],
  },
  Parameter: { name: ['string', 1], type: ['uint32', 2], ...valueFields(3) },
};

/** For `Root.fromJSON`. */
export const SPARKPLUG_SCHEMA = {
  nested: Object.fromEntries(
    Object.entries(MESSAGES).map(([name, fields]) => [
      name,
      {
        // Fields of proto2 know whether they are there: 0 and false are values.
        edition: 'proto2',
        fields: Object.fromEntries(
          Object.entries(fields).map(([field, [type, id]]) => [
            field,
            type.startsWith('[') ? { rule: 'repeated', type: type.slice(1, -1), id } : { type, id },
          ]),
        ),
      },
    ]),
  ),
};
