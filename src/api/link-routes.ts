/** Routes of links: where they stand, and those that come and go while the engine runs. */

import * as v from 'valibot';
import type { LinkInfo } from '../engine/added-links.js';
import { Failure } from '../errors.js';
import { fields, text } from './check.js';
import { type Answer, type Route, route } from './route.js';

const NO_LINKS = new Failure('invalid_argument: links are changed at an engine that runs in one process');
const byName = fields({ name: text(1, 256) });
/** What a link is made of is checked by the engine, as in the configuration. */
const body = v.pipe(
  v.custom<object>(
    (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
    'must be an object',
  ),
  v.description(
    'A link as in `engine.links` of the configuration; `temporary: true`: not kept over a restart.',
  ),
  v.metadata({ type: 'object' }),
);

const linkInfo = v.object({
  name: v.string(),
  kind: v.picklist(['serial', 'tcp', 'udp', 'websocket', 'mqtt']),
  entry: v.string(),
  state: v.pipe(
    v.picklist(['connecting', 'open', 'waiting', 'lent', 'stopped']),
    v.description('`lent`: somebody outside has the line.'),
  ),
  addresses: v.array(v.string()),
  address: v.pipe(v.optional(v.string()), v.description('The one in use, or used last.')),
  client: v.optional(v.string()),
  since: v.optional(v.number()),
  next_try: v.optional(v.number()),
  last_error: v.optional(v.string()),
  opened: v.number(),
  failed: v.number(),
  added: v.pipe(v.boolean(), v.description('It is none of the configuration, and may be changed here.')),
  temporary: v.optional(v.boolean()),
});

/** One link as an answer. */
function shown(link: LinkInfo, status: 200 | 201): Answer {
  return { json: link, status, location: `/v1/links/${encodeURIComponent(link.name)}` };
}

export const LINK_ROUTES: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v1/links',
    needs: 'read',
    summary: 'Links of this engine, and where each stands.',
    answer: v.object({ links: v.array(linkInfo) }),
    run: async ({ host }) => ({ json: { links: (await host.links?.list()) ?? [] } }),
  }),
  route({
    method: 'GET',
    path: '/v1/links/{name}',
    needs: 'read',
    summary: 'One link.',
    params: byName,
    answer: linkInfo,
    run: async ({ host }, { params }) => {
      const link = (await host.links?.list())?.find(({ name }) => name === params.name);
      return link ? { json: link } : new Failure(`not_found: no link ${params.name}`);
    },
  }),
  route<unknown, unknown, object>({
    method: 'POST',
    path: '/v1/links',
    needs: 'write',
    summary: 'Adds a link, which begins to open. All is as it was when anything is wrong with it.',
    body,
    answer: linkInfo,
    status: 201,
    audit: { action: 'add', target: ({ body }) => `link ${String((body as { name?: unknown }).name ?? '')}` },
    run: async ({ host }, { body }) => (host.links ? shown(await host.links.add(body, {}), 201) : NO_LINKS),
  }),
  route<{ name: string }, unknown, object>({
    method: 'PUT',
    path: '/v1/links/{name}',
    needs: 'write',
    summary:
      'Puts other settings in the place of those of an added link: its connection ends, and another opens as a new ' +
      'client. All is as it was when anything is wrong with them.',
    params: byName,
    body,
    answer: linkInfo,
    audit: { action: 'replace', target: ({ params }) => `link ${params.name}` },
    run: async ({ host }, { params, body }) =>
      host.links ? shown(await host.links.replace(params.name, body, {}), 200) : NO_LINKS,
  }),
  route({
    method: 'DELETE',
    path: '/v1/links/{name}',
    needs: 'write',
    summary: 'Takes an added link away: its device is left, and requests that wait for it fail.',
    params: byName,
    answer: '',
    audit: { action: 'remove', target: ({ params }) => `link ${params.name}` },
    run: async ({ host }, { params }) => {
      if (!host.links) return NO_LINKS;
      await host.links.remove(params.name, {});
      return 'done';
    },
  }),
];
