/** Opens the API of a process. */

import type { ApiHost } from '../api/host.js';
import type { ApiMonitor } from '../api/route.js';
import type { Api } from '../api/server.js';
import type { Config } from '../config/schema.js';
import type { Setting } from './process.js';

/** An API that is open, here or in another process. */
export type OpenApi = Pick<Api, 'address' | 'port'> & Partial<Pick<Api, 'counters'>>;

/** What an API counts, once it is there. */
export function apiCounters(api: OpenApi | undefined): Record<string, object> {
  return api?.counters ? { api_websocket: api.counters.webSockets, api_refused: api.counters.refused } : {};
}

/** The counters of a part that are plain numbers. */
export function numbersOf(counters: object): Record<string, number> {
  return Object.fromEntries(Object.entries(counters).filter(([, count]) => typeof count === 'number'));
}

/** Opens it with the settings it has on an engine or a centre. */
export async function serveApi(
  { reconfiguration, log, closing }: Omit<Setting, 'store'>,
  host: ApiHost,
  settings: Config['engine']['apiServer'],
  monitor: ApiMonitor,
): Promise<Api> {
  const { startApi } = await import('../api/server.js');
  const access = () => reconfiguration.config.access;
  const own = log.child({ at: 'api' });
  const tls =
    settings.tls && new (await import('../transports/tlscredentials.js')).TlsCredentials(settings.tls, own);
  const api = await startApi(host, { config: settings, access, log: own, monitor, tls });
  closing.add(() => api.close());
  return api;
}
