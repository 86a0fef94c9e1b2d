/** The route that tells how an engine's outbox fares. */

import * as v from 'valibot';
import { Failure } from '../errors.js';
import type { OutboxStatus } from '../store/outbox-status.js';
import { type Route, route } from './route.js';

const NO_OUTBOX = new Failure(
  'not_found: no outbox here: only an engine with a centre or with sinks has one',
);

const counts = v.record(v.string(), v.number());

/** The outbox as the API tells it. */
const outboxInfo = v.object({
  connected: v.pipe(v.boolean(), v.description('Somebody takes reports.')),
  error: v.pipe(v.optional(v.string()), v.description('Why what should be on disk is not.')),
  records: v.pipe(v.number(), v.description('Reports that are not acknowledged.')),
  memory_records: v.pipe(v.number(), v.description('Those of them that are in memory only.')),
  bytes: v.pipe(v.number(), v.description('On disk.')),
  max_bytes: v.number(),
  oldest: v.pipe(v.optional(v.number()), v.description('Unix seconds when the oldest was kept.')),
  rate_per_second: v.pipe(v.number(), v.description('Reports, over the last 24 hours at most.')),
  holds_seconds: v.pipe(
    v.optional(v.number()),
    v.description('How long reports can be kept at that rate, from an empty disk on.'),
  ),
  written_bytes: v.pipe(v.number(), v.description('By the disk since the start, in whole pages.')),
  written_bytes_per_day: v.number(),
  clock: v.pipe(
    v.picklist(['set', 'estimated', 'unknown']),
    v.description("Where the time of reports comes from: `estimated` is reckoned from the centre's."),
  ),
  reports: v.number(),
  acknowledged: v.object({ live: v.number(), backlog: v.number() }),
  spilled: v.number(),
  dropped: v.object({ full: v.number(), expired: v.number() }),
  refused: v.pipe(counts, v.description('By error code.')),
  ignored_acknowledgements: v.number(),
  damaged_parts: v.number(),
  damaged_bytes: v.number(),
});
type OutboxInfo = v.InferOutput<typeof outboxInfo>;

export const OUTBOX_ROUTES: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v1/outbox',
    needs: 'read',
    summary: 'Reports that this engine keeps until they are taken.',
    answer: outboxInfo,
    run: async ({ host }) => {
      const status = await host.outbox?.();
      return status ? { json: describe(status) } : NO_OUTBOX;
    },
  }),
];

function describe(status: OutboxStatus): OutboxInfo {
  const { counters } = status;
  return {
    connected: status.connected,
    error: status.error,
    records: status.records,
    memory_records: status.memoryRecords,
    bytes: status.bytes,
    max_bytes: status.maxBytes,
    oldest: status.oldest,
    rate_per_second: status.ratePerSecond,
    holds_seconds: status.holdsSeconds,
    written_bytes: status.writtenBytes,
    written_bytes_per_day: status.writtenBytesPerDay,
    clock: status.clock,
    reports: counters.reports,
    acknowledged: counters.acknowledged,
    spilled: counters.spilled,
    dropped: counters.dropped,
    refused: counters.refused,
    ignored_acknowledgements: counters.ignoredAcknowledgements,
    damaged_parts: status.damagedParts,
    damaged_bytes: status.damagedBytes,
  };
}
