/** Routes of devices: where they are attached and, at the centre, what is known of them. */

import * as v from 'valibot';
import { Failure } from '../errors.js';
import { fields, text } from './check.js';
import { pageAnswer, pageLimit, pageSchema } from './paging.js';
import { jsonOr, type Route, route } from './route.js';
import { deviceInfo } from './shapes.js';

const NO_CENTER = new Failure('not_found: labels are kept by the centre; ask its API');
const MAX_LABELS = 64;
const id = text(1, 256);
const byId = fields({ id });
const flag = v.pipe(
  v.picklist(['true', 'false'], 'must be true or false'),
  v.transform((word) => word === 'true'),
);
const label = v.pipe(id, v.regex(/^[^=]+=/, 'must be name=value'));

export const DEVICE_ROUTES: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v1/devices',
    needs: 'read',
    summary:
      'Devices attached to clients, by id; on the centre all that are known. Those that fit all filters.',
    query: fields({
      limit: pageLimit,
      after: v.optional(id),
      engine: v.optional(id),
      attached: v.optional(flag),
      label: v.optional(label),
    }),
    answer: pageSchema('devices', deviceInfo),
    run: async ({ host }, { query: { limit, after, ...filter } }) =>
      pageAnswer('devices', await host.devices(filter, { limit, after })),
  }),
  route({
    method: 'GET',
    path: '/v1/devices/{id}',
    needs: 'read',
    summary: 'One device: the client it is reached through, and on the centre what was heard of it last.',
    params: byId,
    answer: deviceInfo,
    run: async ({ host }, { params }) => jsonOr(await host.device(params.id)),
  }),
  route({
    method: 'DELETE',
    path: '/v1/devices/{id}',
    needs: 'write',
    summary: 'On the centre: drops what is known of a device that is not attached, with its labels.',
    params: byId,
    answer: '',
    audit: { action: 'forget', target: ({ params }) => `device ${params.id}` },
    run: async ({ host }, { params }) =>
      (host.forgetDevice ? await host.forgetDevice(params.id) : NO_CENTER) ?? 'done',
  }),
  route({
    method: 'POST',
    path: '/v1/devices/{id}/labels',
    needs: 'write',
    summary: `On the centre: gives a device these labels, at most ${MAX_LABELS}, in place of those it has.`,
    params: byId,
    body: fields({
      labels: v.pipe(
        v.record(text(1, 63), text(0, 256), 'must be an object of texts'),
        v.check((labels) => Object.keys(labels).length <= MAX_LABELS, `must be at most ${MAX_LABELS}`),
      ),
    }),
    answer: '',
    audit: { action: 'label', target: ({ params }) => `device ${params.id}` },
    run: async ({ host }, { params, body }) => {
      if (!host.label) return NO_CENTER;
      await host.label(params.id, body.labels);
      return 'done';
    },
  }),
];
