/** All routes of the HTTP API. */

import * as v from 'valibot';
import { Failure } from '../errors.js';
import { clientId, fields, text } from './check.js';
import { COMMAND_ROUTES } from './command-routes.js';
import { CONFIG_ROUTES } from './config-routes.js';
import { CALLS, type Call } from './connmix.js';
import { DEVICE_ROUTES } from './device-routes.js';
import { EVENTS } from './event-stream.js';
import { LEASE_ROUTES } from './lease-routes.js';
import { LINK_ROUTES } from './link-routes.js';
import { METRICS_CONTENT_TYPE } from './metrics-text.js';
import { OUTBOX_ROUTES } from './outbox-routes.js';
import { pageLimit as limit, pageAnswer, pageSchema } from './paging.js';
import { RESTART_ROUTES } from './restart-routes.js';
import { type ApiContext, jsonOr, type Route, route } from './route.js';
import { SCRIPT_ROUTES } from './script-routes.js';
import type { EngineInfo } from './shapes.js';
import {
  busInfo,
  channelInfo,
  clientDetail,
  clientInfo,
  engineInfo,
  type HealthReport,
  healthReport,
} from './shapes.js';
import { SINK_ROUTES } from './sink-routes.js';

const NAME_BYTES = 256;
const name = text(1, NAME_BYTES);
const byId = fields({ id: clientId });
const byName = fields({ name });
const page = fields({ limit, after: v.optional(name) });

/** One of CONNMIX's calls as a POST. */
function callRoute<P>(path: string, action: string, summary: string, call: Call<P>, result: v.GenericSchema) {
  return route<unknown, unknown, P>({
    method: 'POST',
    path,
    needs: 'write',
    summary,
    body: call.params,
    answer: v.object({ E: v.null(), r: result }),
    envelope: true,
    audit: { action, target: ({ body }) => call.target(body) },
    run: async ({ host }, { body }) => ({ json: { E: null, r: await call.run(host, body) } }),
  });
}

const probe = fields({ status: v.picklist(['ok', 'failed']) });

function healthOf({ monitor }: ApiContext): HealthReport | Failure {
  return monitor?.health() ?? new Failure('not_found: health is not watched here');
}

export const ROUTES: readonly Route[] = [
  callRoute(
    '/v1/mesh/send',
    'mesh.send',
    'Sends to one client, on whatever node it is.',
    CALLS['mesh.send'],
    v.object({ s: v.boolean() }),
  ),
  callRoute(
    '/v1/mesh/publish',
    'mesh.publish',
    'Sends to the subscribers of a channel on all nodes: succeeded, failed, total.',
    CALLS['mesh.publish'],
    v.object({ s: v.number(), f: v.number(), t: v.number() }),
  ),
  route({
    method: 'GET',
    path: '/version',
    needs: 'any',
    summary: 'The version of this program, and of its API.',
    answer: v.object({
      version: v.string(),
      apis: v.array(v.string()),
      role: v.picklist(['engine', 'center']),
      name: v.string(),
    }),
    run: ({ host: { version, role, name } }) => ({ json: { version, apis: ['v1'], role, name } }),
  }),
  route({
    method: 'GET',
    path: '/v1/nodes',
    needs: 'any',
    summary: 'The engines whose API can be reached, for clients that connect to each.',
    answer: v.object({
      nodes: v.array(v.object({ id: v.number(), name: v.string(), api_server: v.string() })),
    }),
    run: async ({ host }, { incoming }) => ({
      json: { nodes: nodesOf(await host.engines(), incoming.socket.localAddress) },
    }),
  }),
  route({
    method: 'GET',
    path: '/v1/engines',
    needs: 'read',
    summary: 'The engine itself; on the centre all that are known.',
    answer: v.object({ engines: v.array(engineInfo) }),
    run: async ({ host }) => ({ json: { engines: await host.engines() } }),
  }),
  route({
    method: 'GET',
    path: '/v1/engines/{name}',
    needs: 'read',
    summary: 'One engine.',
    params: byName,
    answer: engineInfo,
    run: async ({ host }, { params }) => {
      const engine = (await host.engines()).find(({ name }) => name === params.name);
      return engine ? { json: engine } : new Failure(`not_found: no engine ${params.name}`);
    },
  }),
  route({
    method: 'DELETE',
    path: '/v1/engines/{name}',
    needs: 'write',
    summary:
      'On the centre: frees the name of an engine that is away, so that another key may take it. Its node number is ' +
      'never given again.',
    params: byName,
    answer: '',
    audit: { action: 'forget', target: ({ params }) => `engine ${params.name}` },
    run: async ({ host }, { params }) => {
      if (!host.forget) return new Failure('invalid_argument: only the centre keeps the names of engines');
      return (await host.forget(params.name)) ?? 'done';
    },
  }),
  route({
    method: 'GET',
    path: '/v1/clients',
    needs: 'read',
    summary: 'Connected clients, by id; those that fit all filters.',
    query: fields({
      limit,
      after: v.optional(clientId),
      engine: v.optional(name),
      server: v.optional(name),
      device: v.optional(name),
      channel: v.optional(name),
    }),
    answer: pageSchema('clients', clientInfo),
    run: async ({ host }, { query: { limit, after, ...filter } }) =>
      pageAnswer('clients', await host.clients(filter, { limit, after })),
  }),
  route({
    method: 'GET',
    path: '/v1/clients/{id}',
    needs: 'read',
    summary: 'One client, with its context, channels and last frames.',
    params: byId,
    answer: clientDetail,
    run: async ({ host }, { params }) => jsonOr(await host.client(params.id)),
  }),
  route({
    method: 'DELETE',
    path: '/v1/clients/{id}',
    needs: 'write',
    summary: 'Closes the connection of a client, after what was sent to it has left.',
    params: byId,
    answer: '',
    audit: { action: 'disconnect', target: ({ params }) => `client ${params.id}` },
    run: async ({ host }, { params }) => (await host.disconnect(params.id)) ?? 'done',
  }),
  route({
    method: 'GET',
    path: '/v1/clients/{id}/trace',
    needs: 'read',
    summary:
      'What happens with one client, as it happens: a trace event as JSON in each `data`; `event: lost` tells how ' +
      'many the reader was too slow for, `event: end` that the client is gone.',
    params: byId,
    answer: EVENTS,
    run: ({ host, streams }, request) =>
      streams.answer((listener, ended) => host.trace(request.params.id, listener, ended), request),
  }),
  ...DEVICE_ROUTES,
  ...COMMAND_ROUTES,
  route({
    method: 'GET',
    path: '/v1/channels',
    needs: 'read',
    summary: 'Channels with subscribers, by name.',
    query: page,
    answer: pageSchema('channels', channelInfo),
    run: async ({ host }, { query }) => pageAnswer('channels', await host.channels(query)),
  }),
  route({
    method: 'GET',
    path: '/v1/buses',
    needs: 'read',
    summary: 'Buses of this engine: what was asked and answered on each line, and how its units fare.',
    answer: v.object({ buses: v.array(busInfo) }),
    run: async ({ host }) => ({ json: { buses: (await host.buses?.()) ?? [] } }),
  }),
  route({
    method: 'GET',
    path: '/v1/buses/{name}',
    needs: 'read',
    summary: 'One bus, by its name or that of a link on it.',
    params: byName,
    answer: busInfo,
    run: async ({ host }, { params: { name } }) => {
      const buses = (await host.buses?.()) ?? [];
      const bus = buses.find((one) => one.name === name) ?? buses.find(({ links }) => links.includes(name));
      return jsonOr(bus ?? new Failure(`not_found: no bus ${name}`));
    },
  }),
  ...LINK_ROUTES,
  ...LEASE_ROUTES,
  ...RESTART_ROUTES,
  ...OUTBOX_ROUTES,
  ...SINK_ROUTES,
  ...SCRIPT_ROUTES,
  ...CONFIG_ROUTES,
  route({
    method: 'GET',
    path: '/v1/health',
    needs: 'read',
    summary: 'How the process fares, with reasons.',
    answer: healthReport,
    run: (context) => jsonOr(healthOf(context)),
  }),
  route({
    method: 'GET',
    path: '/healthz',
    needs: 'open',
    summary: '200 as long as the process answers.',
    answer: probe,
    run: () => ({ json: { status: 'ok' } }),
  }),
  route({
    method: 'GET',
    path: '/readyz',
    needs: 'open',
    summary: '200 when it can serve, otherwise 503.',
    answer: probe,
    run: ({ monitor }) =>
      monitor === undefined || monitor.health().ready
        ? { json: { status: 'ok' } }
        : { json: { status: 'failed' }, status: 503 },
  }),
  route({
    method: 'GET',
    path: '/metrics',
    needs: 'read',
    summary: 'Metrics for Prometheus.',
    answer: METRICS_CONTENT_TYPE,
    run: async ({ monitor }) =>
      monitor
        ? { contentType: METRICS_CONTENT_TYPE, text: await monitor.metrics() }
        : new Failure('not_found: nothing is measured here'),
  }),
  route({
    method: 'GET',
    path: '/openapi.json',
    needs: 'any',
    summary: 'This API as OpenAPI 3.1.',
    answer: v.record(v.string(), v.unknown()),
    run: async ({ describe }) => ({ json: await describe() }),
  }),
];

/** Engines with a known API. One that listens on every address is reached where this request arrived. */
function nodesOf(engines: readonly EngineInfo[], here: string | undefined): object[] {
  return engines.flatMap(({ node, name, api }) => {
    if (api === undefined) return [];
    const host =
      here?.includes(':') && !here.startsWith('::ffff:') ? `[${here}]` : here?.replace('::ffff:', '');
    return [{ id: node, name, api_server: api.replace(/^(0\.0\.0\.0|\[::\])(?=:)/, host ?? '$1') }];
  });
}
