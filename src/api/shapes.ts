/**
 * What the API shows: engines, clients, devices, channels. One schema each, from which come the types, the checks of
 * what other engines answer, and the descriptions in `/openapi.json`. Times are Unix seconds, sizes bytes.
 */

import * as v from 'valibot';

const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const seconds = v.pipe(v.number(), v.minValue(0));
/** A client id as the API writes it (design §9 "Client id"). */
const idText = v.pipe(v.string(), v.regex(/^\d{1,16}$/), v.description('Client id, a decimal string.'));
const direction = v.picklist(['in', 'out']);

/** An engine. */
export const engineInfo = v.object({
  name: v.string(),
  node: v.pipe(count, v.description('Node number; 0 until the centre has leased one.')),
  version: v.string(),
  labels: v.record(v.string(), v.string()),
  connected: v.pipe(v.boolean(), v.description('Whether it and the centre are connected.')),
  since: v.pipe(v.optional(seconds), v.description('When that began.')),
  clients: count,
  address: v.pipe(v.optional(v.string()), v.description('Where its uplink comes from, "host:port".')),
  api: v.pipe(v.optional(v.string()), v.description('Its API, "host:port".')),
  servers: v.array(v.object({ name: v.string(), protocol: v.string(), transport: v.string(), port: count })),
});
/** An engine. */
export type EngineInfo = v.InferOutput<typeof engineInfo>;

/** A connected client. */
export const clientInfo = v.object({
  id: idText,
  node: count,
  engine: v.string(),
  server: v.pipe(v.string(), v.description('Name of its server or link.')),
  transport: v.string(),
  remote: v.pipe(v.string(), v.description('The peer: "host:port", or the path of a serial port.')),
  devices: v.array(v.string()),
  opened_at: seconds,
  idle_seconds: v.pipe(seconds, v.description('Since bytes came last.')),
  channels: v.pipe(count, v.description('Channels it is subscribed to.')),
  bytes_in: count,
  bytes_out: count,
  messages: count,
});
/** A connected client. */
export type ClientInfo = v.InferOutput<typeof clientInfo>;

/** A connected client with what its script keeps and what went over its line last. */
export const clientDetail = v.object({
  ...clientInfo.entries,
  context: v.record(v.string(), v.unknown()),
  channel_names: v.pipe(v.array(v.string()), v.description('The first 1000.')),
  pending_bytes: v.pipe(count, v.description('Sent, and not yet taken by the peer.')),
  frames: v.array(
    v.object({
      age: v.pipe(seconds, v.description('Seconds ago.')),
      direction,
      hex: v.pipe(v.string(), v.description('Its first 64 bytes.')),
      length: count,
    }),
  ),
});
/** A connected client with what its script keeps and what went over its line last. */
export type ClientDetail = v.InferOutput<typeof clientDetail>;

/** A device: where it is attached; on the centre also those that were, with what was heard of them last. */
export const deviceInfo = v.object({
  id: v.string(),
  attached: v.boolean(),
  client: v.pipe(
    v.optional(idText),
    v.description('The client it is reached through, while it is attached.'),
  ),
  engine: v.pipe(v.string(), v.description('Where it is attached, or was heard last.')),
  last_seen: v.optional(seconds),
  labels: v.optional(v.record(v.string(), v.string())),
  report: v.pipe(
    v.optional(
      v.object({
        time: v.number(),
        values: v.optional(v.unknown()),
        topic: v.optional(v.string()),
        quality: v.optional(v.string()),
      }),
    ),
    v.description('Its last one; without values of more than about 4 KiB.'),
  ),
});
/** A device: where it is attached; on the centre also those that were, with what was heard of them last. */
export type DeviceInfo = v.InferOutput<typeof deviceInfo>;

/** A channel: on an engine with its subscribers there, on the centre with the engines that have some. */
export const channelInfo = v.object({
  name: v.string(),
  subscribers: v.optional(count),
  nodes: v.optional(v.array(count)),
});
/** A channel: on an engine with its subscribers there, on the centre with the engines that have some. */
export type ChannelInfo = v.InferOutput<typeof channelInfo>;

/** What can be watched of one client while it happens (`engine/trace.ts`). */
export const traceEvent = v.object({
  time: seconds,
  client: idText,
  event: v.picklist(['in', 'out', 'message', 'discard', 'error', 'close']),
  hex: v.optional(v.string()),
  message: v.optional(v.unknown()),
  reason: v.optional(v.string()),
  left_out: v.pipe(v.optional(count), v.description('Events before it that the uplink was too slow for.')),
});

/** How the process fares. */
export const healthReport = v.object({
  status: v.picklist(['ok', 'degraded', 'failed']),
  ready: v.pipe(v.boolean(), v.description('Whether it can serve: its servers listen, its store is open.')),
  reasons: v.array(v.object({ code: v.string(), text: v.string(), since: v.optional(seconds) })),
  uptime_seconds: seconds,
  version: v.string(),
});
/** How the process fares. */
export type HealthReport = v.InferOutput<typeof healthReport>;

const quantile = v.nullable(v.number());

/** What happened on a bus, or with one of its units; counters rise for ever. */
const busCounters = {
  requests: v.pipe(v.number(), v.description('Sent, repetitions included.')),
  broadcasts: v.number(),
  replies: v.number(),
  timeouts: v.number(),
  checksum_errors: v.number(),
  decode_errors: v.number(),
  wrong_unit: v.number(),
  wrong_function: v.number(),
  unexpected: v.number(),
  late: v.number(),
  duplicates: v.number(),
  refused: v.pipe(v.number(), v.description('Not sent, since the unit does not answer.')),
  expired: v.pipe(v.number(), v.description('Had no turn in time.')),
  interrupted: v.number(),
  exceptions: v.pipe(v.record(v.string(), v.number()), v.description('Replies that are errors, by code.')),
  round_trip: v.pipe(
    v.object({ p50: quantile, p95: quantile, p99: quantile }),
    v.description('Seconds from a request to its reply.'),
  ),
  last_good: v.pipe(v.optional(v.number()), v.description('Unix seconds of the last good reply.')),
};

const busUnit = v.object({
  unit: v.string(),
  state: v.pipe(
    v.picklist(['closed', 'open', 'half_open']),
    v.description('Its breaker: open while it is left alone.'),
  ),
  reason: v.optional(v.string()),
  next_probe_seconds: v.optional(v.number()),
  ...busCounters,
});

export const busInfo = v.object({
  name: v.string(),
  links: v.array(v.string()),
  connected: v.boolean(),
  lent: v.pipe(v.boolean(), v.description('Somebody outside has the line; requests wait.')),
  load_percent: v.pipe(v.number(), v.description('Of the last minute.')),
  waiting: v.object({ command: v.number(), request: v.number(), poll: v.number() }),
  ...busCounters,
  echo_bytes: v.number(),
  discarded: v.pipe(v.record(v.string(), v.number()), v.description('Bytes in no frame, by reason.')),
  units: v.array(busUnit),
});
export type BusInfo = v.InferOutput<typeof busInfo>;
