/**
 * The configuration's schema as JSON Schema (draft 2020-12), for editors that complete and check YAML.
 */

import { configSchema } from './schema.js';

/** What this walk looks at in a valibot schema; the kinds are those that `values.ts` makes. */
interface Node {
  readonly type: string;
  readonly pipe?: readonly Node[];
  readonly wrapped?: Node;
  readonly default?: unknown;
  readonly entries?: Readonly<Record<string, Node>>;
  readonly item?: Node;
  readonly value?: Node;
  readonly description?: string;
  readonly metadata?: { readonly json?: object };
}

/** A new JSON Schema of the whole configuration file. */
export function configJsonSchema(): object {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Moonwire configuration',
    ...convert(configSchema as unknown as Node),
  };
}

function convert(node: Node): object {
  if (node.type === 'optional' && node.wrapped) {
    const fallback = typeof node.default === 'function' ? undefined : node.default;
    return { ...convert(node.wrapped), ...(fallback !== undefined && { default: fallback }) };
  }
  if (!node.pipe) return convertPlain(node);
  let result: object = {};
  // The first step of a pipe is the kind itself, unless it is a pipe of its own that was described.
  for (const step of node.pipe) {
    if (step.type === 'description') result = { ...result, description: step.description };
    else if (step.type === 'metadata') result = { ...result, ...orVariable(step.metadata?.json ?? {}) };
    else result = { ...result, ...(step === node.pipe[0] && step.pipe ? convert(step) : convertPlain(step)) };
  }
  return result;
}

function convertPlain(node: Node): object {
  if (node.type === 'loose_object' && node.entries) {
    const entries = Object.entries(node.entries);
    const needed = entries.filter(([, entry]) => entry.type !== 'optional').map(([key]) => key);
    return {
      type: 'object',
      properties: Object.fromEntries(entries.map(([key, entry]) => [key, convert(entry)])),
      additionalProperties: false,
      ...(needed.length > 0 && { required: needed }),
    };
  }
  if (node.type === 'array' && node.item) return { type: 'array', items: convert(node.item) };
  if (node.type === 'record' && node.value) {
    return { type: 'object', additionalProperties: convert(node.value) };
  }
  return {};
}

/** A value may also be an environment variable, whatever its kind. */
function orVariable(json: object): object {
  return { anyOf: [json, { type: 'string', pattern: '\\$\\{' }] };
}
