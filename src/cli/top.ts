/** `moonwire top`: rates of servers and links, or of engines, from `/metrics`. */

import { setTimeout as wait } from 'node:timers/promises';
import type { ApiClient } from './api-client.js';
import type { ApiOptions } from './api-commands.js';
import { EXIT } from './exit.js';
import { print, printJson } from './output.js';
import { type Metrics, readMetrics, sumOf } from './read-metrics.js';
import { untilSignal } from './signals.js';
import { type Column, printable, shortDuration, shortNumber, table } from './table.js';

/** How it is watched. */
export interface TopOptions extends ApiOptions {
  /** Seconds. */
  readonly interval: number;
  readonly once?: true;
}

/** Moves to the upper left corner and clears what is below. */
const CLEAR = '\x1b[H\x1b[J';

/** What was dropped, whatever the reason; bytes that belong to no frame are not counted as events. */
const DROPS = [
  'moonwire_sends_refused_total',
  'moonwire_connections_refused_total',
  'moonwire_datagrams_dropped_total',
  'moonwire_clients_dropped_total',
];
const ERRORS = [
  'moonwire_decode_errors_total',
  'moonwire_script_errors_total',
  'moonwire_budget_exceeded_total',
];

/** One server or link. Rates are per second. */
interface ServerRow {
  server: string;
  up: boolean;
  clients: number;
  messages: number;
  bytes_in: number;
  bytes_out: number;
  errors: number;
  drops: number;
  /** Mean seconds of a handler; 0 when none ran. */
  handler_seconds: number;
}

interface EngineRow {
  engine: string;
  connected: boolean;
  clients: number;
}

/** What is shown at a time. */
interface View {
  time: number;
  name: string;
  role: string;
  version: string;
  ready: boolean;
  uptime_seconds: number;
  /** Of one core: 1 is all of it. */
  cpu: number;
  memory_bytes: number;
  event_loop_lag_seconds: number;
  queued: number;
  /** Undefined where there is no centre to reach. */
  uplink: boolean | undefined;
  servers: ServerRow[];
  engines: EngineRow[];
}

const rate = (value: number) => shortNumber(value);

const SERVERS: readonly Column<ServerRow>[] = [
  { heading: 'SERVER', cell: ({ server }) => server },
  { heading: 'UP', cell: ({ up }) => (up ? 'yes' : 'no') },
  { heading: 'CLIENTS', right: true, cell: ({ clients }) => shortNumber(clients) },
  { heading: 'MSG/S', right: true, cell: ({ messages }) => rate(messages) },
  { heading: 'IN B/S', right: true, cell: ({ bytes_in: bytes }) => rate(bytes) },
  { heading: 'OUT B/S', right: true, cell: ({ bytes_out: bytes }) => rate(bytes) },
  { heading: 'ERR/S', right: true, cell: ({ errors }) => rate(errors) },
  { heading: 'DROP/S', right: true, cell: ({ drops }) => rate(drops) },
  { heading: 'HANDLER', right: true, cell: (row) => `${(row.handler_seconds * 1000).toFixed(2)} ms` },
];

const ENGINES: readonly Column<EngineRow>[] = [
  { heading: 'ENGINE', cell: ({ engine }) => engine },
  { heading: 'CONNECTED', cell: ({ connected }) => (connected ? 'yes' : 'no') },
  { heading: 'CLIENTS', right: true, cell: ({ clients }) => shortNumber(clients) },
];

/** Prints until a signal comes, or once; returns the exit code. */
export async function top(client: ApiClient, { interval, once, json }: TopOptions): Promise<number> {
  const stopping = new AbortController();
  untilSignal().then(() => stopping.abort());
  const look = async () => ({
    at: performance.now() / 1000,
    metrics: readMetrics(await client.getText('/metrics')),
  });
  const refreshing = !json && !once && process.stdout.isTTY === true;
  let before = await look();
  for (;;) {
    await wait(interval * 1000, undefined, { signal: stopping.signal }).catch(() => {});
    if (stopping.signal.aborted) return EXIT.done;
    const now = await look();
    const view = viewOf(before.metrics, now.metrics, now.at - before.at);
    if (json) printJson(view);
    else print(`${refreshing ? CLEAR : ''}${describe(view)}${refreshing || once ? '' : '\n'}`);
    if (once) return EXIT.done;
    before = now;
  }
}

function viewOf(before: Metrics, now: Metrics, seconds: number): View {
  // A counter that fell began anew, with the process.
  const perSecond = (name: string, labels = {}): number =>
    Math.max(0, sumOf(now, name, labels) - sumOf(before, name, labels)) / seconds;
  const labels = now.get('moonwire_info')?.[0]?.labels ?? {};
  return {
    time: Date.now() / 1000,
    name: labels.name ?? '',
    role: labels.role ?? '',
    version: labels.version ?? '',
    ready: sumOf(now, 'moonwire_ready') === 1,
    uptime_seconds: Math.max(0, Date.now() / 1000 - sumOf(now, 'process_start_time_seconds')),
    cpu: perSecond('process_cpu_seconds_total'),
    memory_bytes: sumOf(now, 'process_resident_memory_bytes'),
    event_loop_lag_seconds: sumOf(now, 'moonwire_event_loop_lag_worst_seconds'),
    queued: sumOf(now, 'moonwire_queue_depth'),
    uplink: now.has('moonwire_uplink_connected') ? sumOf(now, 'moonwire_uplink_connected') === 1 : undefined,
    servers: (now.get('moonwire_server_up') ?? []).map(({ labels, value }) => {
      const server = { server: labels.server ?? '' };
      const sum = (names: readonly string[]) =>
        names.reduce((total, name) => total + perSecond(name, server), 0);
      const handled = perSecond('moonwire_handler_duration_seconds_count', server);
      return {
        ...server,
        up: value === 1,
        clients: sumOf(now, 'moonwire_clients', server),
        messages: perSecond('moonwire_messages_received_total', server),
        bytes_in: perSecond('moonwire_received_bytes_total', server),
        bytes_out: perSecond('moonwire_sent_bytes_total', server),
        errors: sum(ERRORS),
        drops: sum(DROPS),
        handler_seconds:
          handled === 0 ? 0 : perSecond('moonwire_handler_duration_seconds_sum', server) / handled,
      };
    }),
    engines: (now.get('moonwire_engine_connected') ?? []).map(({ labels, value }) => ({
      engine: labels.engine ?? '',
      connected: value === 1,
      clients: sumOf(now, 'moonwire_engine_clients', { engine: labels.engine ?? '' }),
    })),
  };
}

function describe(view: View): string {
  const { role, name, version, uplink } = view;
  const facts = [
    `${role} ${printable(name)} ${version}`,
    view.ready ? 'ready' : 'not ready',
    `up ${shortDuration(view.uptime_seconds)}`,
    `CPU ${(view.cpu * 100).toFixed(0)} %`,
    `memory ${(view.memory_bytes / 2 ** 20).toFixed(0)} MiB`,
    `event loop late by ${(view.event_loop_lag_seconds * 1000).toFixed(0)} ms at worst`,
    `${shortNumber(view.queued)} queued`,
    ...(uplink === undefined ? [] : [`uplink ${uplink ? 'up' : 'down'}`]),
  ];
  const tables = [
    ...(view.servers.length > 0 ? [table(SERVERS, view.servers)] : []),
    ...(view.engines.length > 0 ? [table(ENGINES, view.engines)] : []),
  ];
  return [facts.join(' · '), ...tables].join('\n\n');
}
