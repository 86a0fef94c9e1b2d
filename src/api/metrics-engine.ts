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
  ['sendsRefused', 'sends_refused_total', 'Sends refused because the client takes no more.'],
];

/** Why clients were closed by the gateway. */
const CLOSED = { idle: 'closedIdle', stalled: 'closedStalled', oversize: 'closedOversize' } as const;
/** Why connections were refused. */
const REFUSED = { limit: 'refusedLimit', rate: 'refusedRate', pending: 'refusedPending' } as const;

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
    'Clients closed for silence, for not taking what is sent, for a frame without end.',
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
    'Connections refused: too many open, too many a second, or too many whose TLS handshake is not over.',
    listening.flatMap(({ labels, counters }) => byReason(labels, REFUSED, counters)),
  );
  text.counter(
    'moonwire_handshakes_failed_total',
    'TLS and WebSocket handshakes that were refused or not completed.',
    listening.map(({ labels, counters }) => [labels, counters.refusedHandshakes ?? 0]),
  );
  text.counter(
    'moonwire_datagrams_dropped_total',
    'Datagrams dropped: no room for another peer, or too large.',
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

function writeQueues(text: MetricsText, { queues, options }: Engine): void {
  const limits = options.luavm.queue;
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
