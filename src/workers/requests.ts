/** What the primary's API asks of a worker: its host's functions, by name. */

import { engineRequests } from '../api/engine-requests.js';
import type { ApiHost, DeviceFilter, PageRequest } from '../api/host.js';
import { errorOf } from '../api/problem.js';
import type { ApiMonitor } from '../api/route.js';
import type { ConnCall, Outgoing } from '../engine/mesh.js';
import type { ReloadOptions } from '../engine/reload/reload.js';
import { Failure } from '../errors.js';
import type { RequestHandler, RequestHandlers } from '../uplink/requests.js';

/** Parameters of each method, as the primary sends them. */
export interface WorkerParams {
  readonly send: { readonly id: number; readonly message: Outgoing };
  readonly publish: { readonly channel: string; readonly message: Outgoing };
  readonly call: { readonly id: number; readonly fn: ConnCall; readonly args: readonly unknown[] };
  readonly clients: { readonly filter: object; readonly limit: number; readonly after?: number | undefined };
  readonly client: { readonly id: number };
  readonly disconnect: { readonly id: number };
  readonly devices: { readonly filter: DeviceFilter; readonly page: PageRequest<string> };
  readonly device: { readonly id: string };
  readonly channels: PageRequest<string>;
  readonly engines: undefined;
  readonly buses: undefined;
  readonly outbox: undefined;
  readonly metrics: undefined;
  readonly links: undefined;
  readonly addLink: { readonly link: unknown };
  readonly replaceLink: { readonly name: string; readonly link: unknown };
  readonly removeLink: { readonly name: string };
  readonly scripts: undefined;
  readonly reload: { readonly server: string | undefined; readonly options: ReloadOptions };
  readonly lend: { readonly link: string; readonly lease: string; readonly seconds: number };
  readonly giveBack: { readonly link: string; readonly lease: string };
}

type Methods = { readonly [M in keyof WorkerParams]: (params: WorkerParams[M]) => unknown };

/** The methods; they reject with MoonwireError. */
export function workerRequests(host: ApiHost, monitor: ApiMonitor): RequestHandlers {
  const methods: Methods = {
    ...engineRequests(host),
    send: ({ id, message }) => host.send(id, message),
    publish: ({ channel, message }) => host.publish(channel, message),
    call: ({ id, fn, args }) => host.call(id, fn, args),
    devices: ({ filter, page }) => host.devices(filter, page),
    device: ({ id }) => host.device(id),
    channels: (page) => host.channels(page),
    engines: () => host.engines(),
    buses: () => host.buses?.() ?? [],
    outbox: () => host.outbox?.(),
    metrics: () => monitor.metrics(),
    links: () => host.links?.list(),
    addLink: ({ link }) => host.links?.add(link, {}),
    replaceLink: ({ name, link }) => host.links?.replace(name, link, {}),
    removeLink: ({ name }) => host.links?.remove(name, {}),
    scripts: () => host.scripts?.list(),
    reload: ({ server, options }) => host.scripts?.reload(server, options),
    lend: ({ link, lease, seconds }) => host.leases?.take(link, lease, seconds),
    giveBack: ({ link, lease }) => host.leases?.giveBack(link, lease),
  };
  return new Map(
    Object.entries(methods).map(([name, method]): [string, RequestHandler] => [
      name,
      async (params) => {
        const result = await method(params as never);
        if (result instanceof Failure) throw errorOf(result);
        return result;
      },
    ]),
  );
}
