/** What the centre asks of an engine's API over the uplink: lists and details of its clients. */

import * as v from 'valibot';
import { Failure } from '../errors.js';
import { check, clientId, fields, text } from './check.js';
import type { ApiHost } from './host.js';
import { PAGE_MAX } from './paging.js';
import { errorOf } from './problem.js';

/** Answers one method; `params` come from the centre, which this engine has joined. */
export type EngineRequest = (params: unknown) => Promise<unknown>;

const name = v.optional(text(1, 256));
const listParams = fields({
  filter: v.optional(fields({ server: name, device: name, channel: name }), {}),
  limit: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(PAGE_MAX)),
  after: v.optional(v.pipe(v.number(), v.safeInteger(), v.minValue(-1))),
});
const oneParams = fields({ id: clientId });

/** The methods by name, for `Uplink.handle`. They reject with MoonwireError. */
export function engineRequests(host: ApiHost): Record<'clients' | 'client' | 'disconnect', EngineRequest> {
  return {
    clients: async (params) => {
      const { filter, ...page } = check(listParams, params);
      return host.clients(filter, page);
    },
    client: async (params) => raised(await host.client(check(oneParams, params).id)),
    disconnect: async (params) => raised(await host.disconnect(check(oneParams, params).id)),
  };
}

function raised<T>(result: T | Failure): T {
  if (result instanceof Failure) throw errorOf(result);
  return result;
}
