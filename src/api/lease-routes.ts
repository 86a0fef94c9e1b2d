/** Routes by which somebody outside borrows the line of a link, as `moonwire scan` does. */

import * as v from 'valibot';
import { Failure } from '../errors.js';
import { fields, seconds, text } from './check.js';
import { type Route, route } from './route.js';

/** A borrower that lives renews its lease; one that died must not keep the line for long. */
const MAX_SECONDS = 300;
const NO_LINKS = new Failure('invalid_argument: only engines have links');
const lease = fields({ name: text(1, 256), id: text(1, 64) });

export const LEASE_ROUTES: readonly Route[] = [
  route({
    method: 'POST',
    path: '/v1/links/{name}/leases/{id}',
    needs: 'write',
    summary:
      'Lends the line of a link to the caller, who names the lease, for so many seconds, or renews a lease: the links ' +
      'on the line close, requests wait. Answered when the line is free.',
    params: lease,
    body: fields({ seconds: seconds(1, MAX_SECONDS) }),
    answer: v.object({ links: v.array(v.string()) }),
    audit: { action: 'lend', target: ({ params }) => `link ${params.name}` },
    run: async ({ host }, { params, body }) => {
      const links = await (host.leases?.take(params.name, params.id, body.seconds) ?? NO_LINKS);
      return links instanceof Failure ? links : { json: { links } };
    },
  }),
  route({
    method: 'DELETE',
    path: '/v1/links/{name}/leases/{id}',
    needs: 'write',
    summary: 'Gives a line back before its lease ends: its links open again.',
    params: lease,
    answer: '',
    audit: { action: 'give back', target: ({ params }) => `link ${params.name}` },
    run: async ({ host }, { params }) =>
      (await (host.leases ? host.leases.giveBack(params.name, params.id) : NO_LINKS)) ?? 'done',
  }),
];
