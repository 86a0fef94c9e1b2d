/** Routes by which the configuration is read again while everything runs. */

import * as v from 'valibot';
import { Failure } from '../errors.js';
import { fields } from './check.js';
import type { ConfigHost } from './host.js';
import { type Route, route } from './route.js';

const NO_FILE = new Failure('not_found: the configuration comes from no file here');

/** What of the configuration differs, or differed, from what runs. */
const configChange = v.object({
  path: v.pipe(
    v.string(),
    v.description('A server, link, sink or setting, such as `engine.servers.trackers`.'),
  ),
  effect: v.pipe(
    v.picklist(['add', 'remove', 'replace', 'change', 'restart']),
    v.description(
      '`replace` ends its connections, `change` does not, `restart`: in effect after the next one.',
    ),
  ),
  settings: v.pipe(v.optional(v.array(v.string())), v.description('Which of its settings differ.')),
});
const answer = v.object({ changes: v.array(configChange) });

export const CONFIG_ROUTES: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v1/config',
    needs: 'read',
    summary: 'Where the configuration comes from, and what has changed there since it was applied.',
    answer: v.object({
      file: v.string(),
      source: v.pipe(
        v.picklist(['file', 'last_good']),
        v.description('`last_good`: the file could not be used, so this is what ran before.'),
      ),
      applied: v.pipe(v.number(), v.description('When, in Unix seconds.')),
      problem: v.pipe(v.optional(v.string()), v.description('Why the file as it is now cannot be used.')),
      changes: v.pipe(v.array(configChange), v.description('What a reload would do.')),
    }),
    run: async ({ host: { config } }) => {
      if (!config?.source) return NO_FILE;
      return { json: { ...config.source(), ...(await planOf(config)) } };
    },
  }),
  route({
    method: 'POST',
    path: '/v1/config/reload',
    needs: 'write',
    summary:
      'Reads the configuration again and applies what has changed; whatever has not is not touched. With `dry_run` it ' +
      'only tells. What cannot be applied is refused whole, and everything goes on as before.',
    body: fields({ dry_run: v.optional(v.boolean('must be true or false'), false) }),
    answer,
    audit: { action: 'reload', target: ({ body }) => `configuration${body.dry_run ? ', dry run' : ''}` },
    run: async ({ host: { config } }, { body }) => {
      if (!config?.source) return NO_FILE;
      return { json: { changes: await (body.dry_run ? config.plan() : config.reload()) } };
    },
  }),
];

async function planOf(config: ConfigHost): Promise<{ changes: object; problem?: string }> {
  try {
    return { changes: await config.plan() };
  } catch (error) {
    return { changes: [], problem: (error as Error).message };
  }
}
