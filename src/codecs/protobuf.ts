/** Protocol Buffers, by protobufjs. */
import { Options } from '../bytes/options.js';
import type { Codec } from './codec.js';
import { ProtobufSchemas } from './protobuf_schemas.js';
import { decodeMessage, encodeMessage } from './protobuf_values.js';

/**
 * Messages as plain objects, by a schema from a .proto file: options `{schema = "file.proto", type = "pkg.Message"}`.
 * The file lies in one of the script roots, its imports beside it or there; it is parsed once. Fields have the names
 * of the schema, 64-bit integers are numbers up to 2^53 and decimal strings beyond, enum values their names, absent
 * fields are absent unless `defaults = true` is given too. Writing refuses unknown fields and values out of range.
 *
 * `roots`: the folders in which schemas are looked for.
 */
export function protobufCodec(roots: readonly string[]): Codec {
  const schemas = new ProtobufSchemas(roots);
  const read = (options: unknown) => {
    const given = new Options('protobuf', options);
    const schema = given.text('schema');
    const name = given.text('type');
    const defaults = given.boolean('defaults', false);
    given.done();
    return { type: schemas.type(schema, name), defaults };
  };
  return {
    name: 'protobuf',
    encode: (value, options) => encodeMessage(read(options).type, value),
    decode(bytes, options) {
      const { type, defaults } = read(options);
      return decodeMessage(type, bytes, defaults);
    },
  };
}
