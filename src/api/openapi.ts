/** `/openapi.json` (OpenAPI 3.1), made from the schemas that check requests and describe answers. */

import { type ConversionConfig, toJsonSchema } from '@valibot/to-json-schema';
import type * as v from 'valibot';
import type { Schema } from './check.js';
import { PROBLEM_TYPE, problem } from './problem.js';
import type { Route } from './route.js';

type JsonSchema = ReturnType<typeof toJsonSchema>;

/** What requests hold before they are read: an id may be text or a number. */
const REQUEST: ConversionConfig = { typeMode: 'input', errorMode: 'ignore', target: 'draft-2020-12' };
const ANSWER: ConversionConfig = { ...REQUEST, typeMode: 'output' };

/** The description of all routes. */
export function describeApi(routes: readonly Route[], version: string): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const row of routes) {
    paths[row.path] ??= {};
    paths[row.path]![row.method.toLowerCase()] = operation(row);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Moonwire',
      version,
      description: 'Besides these, the WebSocket /ws/v1 of an engine consumes queues; see src/api/README.md.',
    },
    paths,
    components: {
      schemas: { Problem: convert(problem, ANSWER) },
      responses: {
        Problem: {
          description: 'What went wrong.',
          content: { [PROBLEM_TYPE]: { schema: { $ref: '#/components/schemas/Problem' } } },
        },
      },
      securitySchemes: {
        basic: { type: 'http', scheme: 'basic' },
        bearer: { type: 'http', scheme: 'bearer' },
      },
    },
  };
}

function operation(row: Route): object {
  const parameters = [...parametersOf(row.params, 'path'), ...parametersOf(row.query, 'query')];
  return {
    summary: row.summary,
    ...(row.needs !== 'open' && { security: [{ basic: [] }, { bearer: [] }] }),
    ...(parameters.length > 0 && { parameters }),
    ...(row.body && {
      requestBody: {
        required: true,
        content: { 'application/json': { schema: convert(row.body, REQUEST) } },
      },
    }),
    responses: {
      ...success(row),
      default: { $ref: '#/components/responses/Problem' },
    },
  };
}

function success({ answer, status }: Route): object {
  if (answer === '') return { 204: { description: 'Done.' } };
  const [type, schema] =
    typeof answer === 'string' ? [answer, { type: 'string' }] : ['application/json', convert(answer, ANSWER)];
  return {
    [status ?? 200]: { description: status === 202 ? 'Accepted.' : 'Done.', content: { [type]: { schema } } },
  };
}

function parametersOf(schema: Schema | undefined, where: 'path' | 'query'): object[] {
  if (!schema) return [];
  const { properties = {}, required = [] } = convert(schema, REQUEST);
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: where,
    required: required.includes(name),
    schema: property,
  }));
}

function convert(schema: v.GenericSchema, config: ConversionConfig): JsonSchema {
  const { $schema: _, ...rest } = toJsonSchema(schema, config);
  return rest;
}
