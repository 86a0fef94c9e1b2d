/** What the centre asks of an engine's API over the uplink: lists and details of its clients, and live traces. */

import { Failure, MoonwireError } from '../errors.js';
import type { ApiHost, ClientFilter, PageRequest } from './host.js';

/** Answers one method; `params` come from the centre, which this engine has joined. */
export type EngineRequest = (params: unknown) => Promise<unknown>;

/** The methods by name, for `Uplink.handle`. They reject with MoonwireError. */
export function engineRequests(host: ApiHost): Record<'clients' | 'client' | 'disconnect', EngineRequest> {
  return {
    clients: (params) => {
      const {
        filter = {},
        limit = 100,
        after,
      } = Object(params) as Partial<PageRequest<number>> & {
        filter?: ClientFilter;
      };
      return host.clients(filter, { limit: Math.min(Math.max(1, limit), 1000), after });
    },
    client: async (params) => raised(await host.client(idOf(params))),
    disconnect: async (params) => raised(await host.disconnect(idOf(params))),
  };
}

function idOf(params: unknown): number {
  const { id } = Object(params) as { id?: unknown };
  if (typeof id === 'number' && Number.isSafeInteger(id)) return id;
  throw new MoonwireError('invalid_argument', 'id must be a client id');
}

function raised<T>(result: T | Failure): T {
  if (result instanceof Failure) throw new MoonwireError(result.code, result.message.replace(/^\w+: /, ''));
  return result;
}
