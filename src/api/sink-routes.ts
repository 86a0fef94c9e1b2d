/** Routes that tell how sinks fare. */

import * as v from 'valibot';
import { Failure } from '../errors.js';
import { fields, text } from './check.js';
import type { SinkFigures } from './monitor-sources.js';
import { jsonOr, type Route, route } from './route.js';

/** A sink as the API tells it. */
const sinkInfo = v.object({
  name: v.string(),
  kind: v.pipe(v.string(), v.description('mqtt, http, redis, file or stdout.')),
  ok: v.pipe(v.boolean(), v.description('Whether it takes reports.')),
  error: v.pipe(v.optional(v.string()), v.description('Why it does not.')),
  since: v.pipe(v.optional(v.number()), v.description('Unix seconds since when it does not.')),
  lag: v.object({
    records: v.pipe(v.number(), v.description('Reports it does not have yet.')),
    seconds: v.pipe(v.number(), v.description('How long the oldest of them has waited.')),
  }),
  delivered: v.number(),
  retried: v.pipe(v.number(), v.description('Reports offered in vain, and offered again.')),
  dead: v.pipe(v.number(), v.description('Reports it refused for good; see its file of dead letters.')),
  dropped: v.pipe(v.number(), v.description('Reports given up because too many waited, or for too long.')),
  filtered: v.pipe(v.number(), v.description('Reports that are not for it.')),
  unreadable: v.pipe(v.number(), v.description('Reports damaged on disk.')),
  last_delivered: v.pipe(v.optional(v.number()), v.description('Unix seconds.')),
});

export const SINK_ROUTES: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v1/sinks',
    needs: 'read',
    summary: 'Where reports are delivered from here, and how that goes; figures count from the start.',
    answer: v.object({ sinks: v.array(sinkInfo) }),
    run: ({ host }) => ({ json: { sinks: (host.sinks?.() ?? []).map(describe) } }),
  }),
  route({
    method: 'GET',
    path: '/v1/sinks/{name}',
    needs: 'read',
    summary: 'One sink.',
    params: fields({ name: text(1, 256) }),
    answer: sinkInfo,
    run: ({ host }, { params }) => {
      const sink = host.sinks?.().find(({ name }) => name === params.name);
      return jsonOr(sink ? describe(sink) : new Failure(`not_found: no sink ${params.name} here`));
    },
  }),
];

function describe({ pending, lag, lastDelivered, ...sink }: SinkFigures): v.InferOutput<typeof sinkInfo> {
  return { ...sink, lag: { records: pending, seconds: lag }, last_delivered: lastDelivered };
}
