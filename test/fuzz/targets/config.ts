/** Configuration files made from the schema, right and wrong, and changed as text: a configuration, or problems with their place. */

import { stringify } from 'yaml';
import { configJsonSchema } from '../../../src/config/json-schema.js';
import { parseConfig } from '../../../src/config/load.js';
import { ConfigError } from '../../../src/config/problems.js';
import type { Random } from '../../support/random.js';
import { changed } from '../mutations.js';
import { Finding, type Target } from '../target.js';

interface Schema {
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema | false;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
}

const STRANGE = [
  null,
  true,
  -1,
  0,
  65_536,
  1e308,
  0.5,
  '',
  'tcp',
  '10s',
  '64KiB',
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a variable of the configuration
  '${HOME}',
  '${NOBODY',
  '::1',
  [],
  {},
  '\0',
  'é',
  [1],
];
const DEPTH = 6;
/** Parts of a document that hurt readers of YAML. */
const PIECES = [
  '&a [*a]',
  '<<: *a',
  '!!binary xx',
  '? [a]: b',
  '"\\u0000"',
  '- - - -',
  '|+\n  x',
  '%YAML 9.9',
  '---',
  '{a: 1, a: 2}',
  '\t',
  '&x ',
  '*x',
];

function sample(schema: Schema, random: Random, depth: number): unknown {
  const { below, pick } = random;
  if (depth === 0 || below(12) === 0) return pick(STRANGE);
  if (schema.anyOf) return sample(pick(schema.anyOf), random, depth);
  if (schema.enum) return pick(schema.enum);
  if (schema.properties) {
    const some = Object.entries(schema.properties).filter(() => below(3) === 0);
    return Object.fromEntries(
      some.map(([key, value]) => [below(30) === 0 ? `${key}x` : key, sample(value, random, depth - 1)]),
    );
  }
  if (schema.items) {
    const { items } = schema;
    return Array.from({ length: below(4) }, () => sample(items, random, depth - 1));
  }
  if (schema.additionalProperties)
    return { [pick(['a', '', '__proto__', 'b c'])]: sample(schema.additionalProperties, random, depth - 1) };
  if (schema.default !== undefined && below(2) === 0) return schema.default;
  switch (typeof schema.type === 'string' ? schema.type : pick(schema.type ?? ['string'])) {
    case 'boolean':
      return below(2) === 0;
    case 'integer':
    case 'number':
      return pick([0, 1, 1024, 65_535, -1, 2 ** 53]);
    case 'string':
      return pick([
        'a',
        '127.0.0.1',
        'lua/entry.gt06.lua',
        '5s',
        '1MiB',
        'http://a/b',
        'mqtt://h',
        '/dev/ttyUSB0',
      ]);
    default:
      return pick(STRANGE);
  }
}

export async function config(): Promise<readonly Target[]> {
  const schema = configJsonSchema() as Schema;
  return [
    {
      name: 'config',
      make(random) {
        let text = stringify(sample(schema, random, DEPTH));
        for (let n = random.below(3); n > 0; n--) {
          const at = random.below(text.length);
          text = text.slice(0, at) + random.pick(PIECES) + text.slice(at);
        }
        const bytes = Buffer.from(text);
        return random.below(3) === 0 ? changed(bytes, random, [bytes]) : bytes;
      },
      run(input) {
        const text = Buffer.from(input).toString();
        try {
          const { config: found } = parseConfig(text, 'fuzz.yaml', { env: {}, cwd: '.' });
          if (!Object.isFrozen(found.engine)) throw new Finding('is not frozen');
        } catch (error) {
          if (!(error instanceof ConfigError)) throw error;
          const lines = text.split('\n').length;
          const misplaced = error.problems.find(
            ({ line, column }) => line < 1 || line > lines + 1 || column < 1,
          );
          if (misplaced || error.problems.length === 0)
            throw new Finding(`a problem has no place: ${error.message}`);
        }
      },
    },
  ];
}
