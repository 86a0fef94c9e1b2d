/** The metrics of an engine: its servers and links, what they drop, sends, queues, channels, devices. */

import type { Counters } from '../engine/counters.js';
import type { Engine } from '../engine/engine.js';
import type { Labels, MetricsText } from './metrics-text.js';

/** Most topics that are told apart: scripts name them as they like. */
const MAX_TOPICS = 100;

/** The counters that are one metric each, by server or link. */
const COUNTERS: readonly [Exclude<keyof Counters, 'discarded' | 'discard'>, name: string, help: string][] = [
  ['opened', 'clients_opened_total', 'Clients that were served.'],
  ['closed', 'clients_closed_total', 'Clients whose connection ended.'],
  ['bytesIn', 'received_bytes_total', 'Bytes received from clients.'],
  ['bytesOut', 'sent_bytes_total', 'Bytes sent to clients.'],
  ['frames', 'frames_total', 'Frames cut from what was received.'],
  ['messages', 'messages_received_total', 'Messages decoded from frames.'],
  ['sends', 'messages_sent_total', 'Messages sent to clients.'],
  ['decodeErrors', 'decode_errors_total', 'Frames that did not decode.'],
  ['scriptErrors', 'script_errors_total', 'Handlers that ended in an error.'],
  ['budgetExceeded', 'budget_exceeded_total', 'Handlers stopped for using more than their budget.'],
  ['scriptRestarts', 'script_restarts_total', 'Restarts of the script for the memory it kept.'],
  ['sendsRefused', 'sends_refused_total', 'Sends refused because the client takes no more.'],
  ['sendsDropped', 'sends_dropped_total', 'Messages dropped for newer ones, since the client falls behind.'],
  ['messagesDelayed', 'messages_delayed_total', 'Messages beyond the rate of their client, which waited.'],
  [
    'messagesDropped',
    'messages_dropped_total',
    'Messages beyond the rate of their client, which were dropped.',
  ],
  [
    'bytesAtRisk',
    'bytes_at_risk_total',
    'Bytes that may have come, at most, while a serial port was closed for a restart.',
  ],
];

/** Why clients were closed by the gateway. */
const CLOSED = {
  idle: 'closedIdle',
  stalled: 'closedStalled',
  overflow: 'closedOverflow',
  rate: 'closedRate',
  oversize: 'closedOversize',
} as const;
/** Why connections and UDP peers were refused. */
const REFUSED = {
  limit: 'refusedLimit',
  rate: 'refusedRate',
  address: 'refusedAddress',
  address_rate: 'refusedAddressRate',
  total: 'refusedTotal',
  total_rate: 'refusedTotalRate',
  overload: 'refusedOverload',
  memory: 'refusedMemory',
  pending: 'refusedPending',
} as const;

/** A server or a link. */
type Part = Engine['servers'][number] | Engine['links'][number];

/** Writes all of them. The label `server` is the name of the server or link. */
export function writeEngineMetrics(text: MetricsText, engine: Engine): void {
  const part = (kind: 'server' | 'link', { config, station }: Part, up: boolean) => ({
    labels: { server: config.name },
    station,
    kind,
    up: up ? 1 : 0,
  });
  const parts = [
    ...engine.servers.map((server) => part('server', server, server.listener !== undefined)),
    ...engine.links.map((link) => part('link', link, link.station.clients.size > 0)),
  ];
  const listening = engine.servers.flatMap(({ config, listener }) =>
    listener ? [{ labels: { server: config.name }, counters: listener.counters }] : [],
  );

  text.gauge(
    'moonwire_server_up',
    'Whether a server listens, or a link is open.',
    parts.map(({ labels, kind, up }) => [{ ...labels, kind }, up]),
  );
  text.gauge(
    'moonwire_clients',
    'Clients connected now.',
    parts.map(({ labels, station }) => [labels, station.clients.size]),
  );
  for (const [counter, name, help] of COUNTERS) {
    text.counter(
      `moonwire_${name}`,
      help,
      parts.map(({ labels, station }) => [labels, station.counters[counter]]),
    );
  }
  text.counter(
    'moonwire_clients_dropped_total',
    'Clients closed for silence, for not taking what is sent, for too many messages, for a frame without end.',
    parts.flatMap(({ labels, station }) => byReason(labels, CLOSED, station.counters)),
  );
  text.counter(
    'moonwire_discarded_bytes_total',
    'Received bytes that belong to no frame.',
    parts.flatMap(({ labels, station }) =>
      Object.entries(station.counters.discarded).map(([reason, bytes]) => [{ ...labels, reason }, bytes]),
    ),
  );
  text.counter(
    'moonwire_connections_refused_total',
    'Connections refused: too many, from one address or in total, an overload, or too many unfinished TLS handshakes.',
    listening.flatMap(({ labels, counters }) => byReason(labels, REFUSED, counters)),
  );
  text.counter(
    'moonwire_handshakes_failed_total',
    'TLS and WebSocket handshakes that were refused or not completed.',
    listening.map(({ labels, counters }) => [labels, counters.refusedHandshakes]),
  );
  text.counter(
    'moonwire_requests_refused_total',
    'HTTP requests that could not be read, were too large or too slow.',
    listening.map(({ labels, counters }) => [labels, counters.refusedRequests]),
  );
  text.counter(
    'moonwire_sniffed_total',
    'Connections whose first bytes were looked at, by what they are; silent and slow ones had their time.',
    listening.flatMap(({ labels, counters }) =>
      Object.entries(counters.sniffed ?? {}).map(([found, count]) => [{ ...labels, found }, count]),
    ),
  );
  text.counter(
    'moonwire_handshakes_delayed_total',
    'TLS handshakes that waited for others.',
    listening.map(({ labels, counters }) => [labels, counters.delayedHandshakes]),
  );
  text.counter(
    'moonwire_datagrams_dropped_total',
    'Datagrams dropped: no room for another peer, too large, or more than are taken.',
    listening.map(({ labels, counters }) => [labels, counters.droppedDatagrams]),
  );
  text.histogram(
    'moonwire_handler_duration_seconds',
    'Time on_message took, waits included.',
    parts.map(({ labels, station }) => [labels, station.messageTimes]),
  );
  text.histogram(
    'moonwire_send_duration_seconds',
    'Time sends took, by the way they went.',
    Object.entries(engine.sendTimes).map(([scenario, times]) => [{ scenario }, times]),
  );
  const { pending, overload } = engine.limits;
  text.gauge('moonwire_pending_bytes', 'Bytes that wait for all clients.', pending.bytes);
  text.counter(
    'moonwire_sends_shed_total',
    'Sends refused because too much waits for all clients.',
    pending.refused,
  );
  text.gauge(
    'moonwire_overloaded',
    'Whether new connections are refused because the event loop is late; 1 is yes.',
    overload.active ? 1 : 0,
  );
  text.gauge('moonwire_channels', 'Channels with subscribers here.', engine.channels.size);
  text.gauge('moonwire_devices', 'Devices attached to clients here.', engine.devices.size);
  writeQueues(text, engine);
}

function byReason<R extends string, C extends string>(
  labels: Labels,
  reasons: Readonly<Record<R, C>>,
  counters: Readonly<Partial<Record<C, number>>>,
): [Labels, number][] {
  return Object.entries<C>(reasons).map(([reason, counter]) => [
    { ...labels, reason },
    counters[counter] ?? 0,
  ]);
}

function writeQueues(text: MetricsText, { queues }: Engine): void {
  const { limits } = queues;
  const depths: [Labels, number][] = [];
  let rest = 0;
  let fullest = 0;
  let topics = 0;
  for (const [topic, depth] of queues.depths()) {
    topics++;
    fullest = Math.max(fullest, depth);
    if (depths.length < MAX_TOPICS) depths.push([{ topic }, depth]);
    else rest += depth;
  }
  if (rest > 0) depths.push([{ topic: '' }, rest]);
  text.gauge(
    'moonwire_queue_depth',
    `Messages that wait in a topic; topic "" is all beyond ${MAX_TOPICS}.`,
    depths,
  );
  text.gauge(
    'moonwire_queue_fill_ratio',
    'How full the fullest topic is, or all topics together by their number; 1 is full.',
    Math.max(fullest / limits.topicSize, topics / limits.maxTopics),
  );
  const { pushed, taken, refused } = queues.counters;
  text.counter('moonwire_queue_pushed_total', 'Messages pushed into topics.', pushed);
  text.counter('moonwire_queue_taken_total', 'Messages taken by consumers.', taken);
  text.counter('moonwire_queue_refused_total', 'Messages refused because a queue was full.', refused);
}
