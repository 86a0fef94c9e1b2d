/** The only place that builds the parts and connects them. */

import { join } from 'node:path';
import { EngineHost } from './api/engine-host.js';
import { engineRequests } from './api/engine-requests.js';
import type { ApiHost } from './api/host.js';
import { Monitor } from './api/monitor.js';
import type { Api } from './api/server.js';
import type { Center } from './center/center.js';
import type { Intake, ReportObserver } from './center/reports.js';
import { type CodecRegistry, defaultCodecs } from './codecs/registry.js';
import type { Config } from './config/schema.js';
import { Commands } from './engine/commands.js';
import { Engine, type EngineOptions, type Report } from './engine/engine.js';
import { MoonwireError, messageOf } from './errors.js';
import type { Logger } from './log.js';
import { LIBRARY_ROOT, version } from './package.js';
import type { Sinks } from './sinks/sinks.js';
import type { Clock } from './store/clock.js';
import type { Feed } from './store/feed.js';
import { clientId, nodeOf } from './store/ids.js';
import { MemoryKeyValue } from './store/keyvalue.js';
import type { Outbox } from './store/outbox.js';
import { openStore, type Store } from './store/store.js';
import type { Uplink } from './uplink/uplink.js';

/** How long an engine that never had a node number waits for its first before devices may connect. */
const FIRST_LEASE_MS = 2000;

/** How long the note of how far a sink has come waits for others: what was delivered meanwhile may come again. */
const CURSOR_DELAY_MS = 1000;

/** What every process of Moonwire runs. */
export interface Process {
  readonly store: Store;
  readonly api: Api;
  /** Drains, closes and flushes everything; never fails, and ends within seconds. */
  stop(): Promise<void>;
}

/** A running engine. */
export interface Gateway extends Process {
  readonly engine: Engine;
  /** The link to the centre; undefined for an engine alone. */
  readonly uplink: Uplink | undefined;
}

/** A running centre. */
export interface CenterProcess extends Process {
  readonly center: Center;
}

/** What an embedding program may put in place of the usual. */
export interface GatewayOptions {
  /** Codecs for `mix.codec`; default: those Moonwire brings. */
  codecs?: CodecRegistry;
  /** Takes what scripts report, in place of the outbox. Of a durable report the promise is waited for. */
  report?(report: Report): void | Promise<void>;
  /** `access` as it is now, a new object when it changed; default: that of the configuration. */
  access?(): Config['access'];
}

/** What an engine runs, from a configuration. */
export function engineOptions(config: Config): EngineOptions {
  const { engine, script } = config;
  return {
    name: engine.name,
    labels: engine.labels,
    script: { ...script, roots: [...script.roots, LIBRARY_ROOT] },
    servers: engine.servers,
    links: engine.links,
    luavm: engine.luavm,
    mqtt: engine.mqtt,
  };
}

/** Builds an engine on an open store, without starting it. */
function buildEngine(
  options: EngineOptions,
  store: Store,
  log: Logger,
  own: GatewayOptions,
  report: (report: Report) => void | Promise<void>,
): Engine {
  const { identity, ids } = store;
  return new Engine(options, {
    log,
    node: () => identity.node,
    isOwn: (id) => nodeOf(id) === identity.node || nodeOf(id) === 0,
    nextClientId: () => clientId(identity.node, ids.nextSequence()),
    report,
    values: store.kv,
    codecs: own.codecs ?? defaultCodecs(options.script.roots),
  });
}

/** An engine that keeps nothing and reports nowhere: for checks and simulated devices. */
export function buildTransientEngine(options: EngineOptions, log: Logger): Engine {
  let clients = 0;
  return new Engine(options, {
    log,
    node: () => 0,
    isOwn: () => true,
    nextClientId: () => ++clients,
    report: () => {},
    values: new MemoryKeyValue(),
    codecs: defaultCodecs(options.script.roots),
  });
}

/** What a check found: what would keep an engine from running, and what is good to know. */
export interface Findings {
  readonly problems: string[];
  readonly notices: string[];
}

/** What is found of an engine without running a handler or opening anything. */
export function checkEngine(config: Config, log: Logger): Findings {
  const engine = buildTransientEngine(engineOptions(config), log);
  const problems: string[] = [];
  const notices: string[] = [];
  for (const part of [...engine.servers, ...engine.links]) {
    const { station } = part;
    try {
      station.compile();
      const { notCompiled } = station.program;
      if (notCompiled !== undefined) {
        notices.push(`${part.config.name}: its protocol is interpreted, not compiled: ${notCompiled}`);
      }
    } catch (error) {
      problems.push(`${part.config.name}: ${messageOf(error)}`);
    } finally {
      // A script may start timers outside any handler.
      station.timers.clear();
    }
    const problem = part.problem();
    if (problem !== undefined) problems.push(problem);
  }
  return { problems, notices };
}

/** Reports are shown in the log where nobody else shows them. */
function logReport(log: Logger, { deviceId, values, time, quality, topic }: Report): void {
  log.info(`report from ${deviceId}`, {
    ...(values !== null && typeof values === 'object' && !Array.isArray(values) ? values : { values }),
    ...(time !== undefined && { time: readableTime(time) }),
    ...(topic !== undefined && { topic }),
    ...(quality !== undefined && { quality }),
  });
}

/** Unix seconds as ISO 8601; as they are where a calendar has no such day. */
function readableTime(seconds: number): string | number {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? seconds : date.toISOString();
}

/** The configuration with device paths in place of a board's names for serial ports. */
async function withPorts(config: Config, log: Logger): Promise<Config> {
  if (!config.engine.links.some(({ kind }) => kind === 'serial')) return config;
  const { Machine } = await import('./boards/machine.js');
  const { resolvePorts } = await import('./boards/ports.js');
  const { listSerialPorts } = await import('./transports/serialports.js');
  const resolved = resolvePorts(config, await listSerialPorts(), new Machine(), log);
  if (resolved.problems.length === 0) return resolved.config;
  throw new MoonwireError('invalid_argument', resolved.problems.join('\n'), 'engine.links');
}

/** Closes what was opened, the last first; never fails. */
class Closing {
  private readonly steps: (() => Promise<unknown> | undefined)[] = [];

  constructor(private readonly log: Logger) {}

  add(step: () => Promise<unknown> | undefined): void {
    this.steps.push(step);
  }

  readonly run = async (): Promise<void> => {
    for (let step = this.steps.pop(); step; step = this.steps.pop()) {
      try {
        await step();
      } catch (error) {
        this.log.error('stopping failed', { reason: messageOf(error) });
      }
    }
  };
}

/** Runs `start`, and closes what it opened when it fails. */
async function opening<T>(log: Logger, start: (closing: Closing) => Promise<T>): Promise<T> {
  const closing = new Closing(log);
  try {
    return await start(closing);
  } catch (error) {
    await closing.run();
    throw error;
  }
}

async function openStoreOf(config: Config, log: Logger, closing: Closing): Promise<Store> {
  const store = await openStore({ path: config.store.path, maxBytes: config.store.maxBytes, log });
  closing.add(() => store.close());
  return store;
}

/** Opens the store and starts an engine. Throws with nothing left open when a part cannot start. */
export function startEngine(config: Config, log: Logger, options: GatewayOptions = {}): Promise<Gateway> {
  return opening(log, async (closing) => {
    const store = await openStoreOf(config, log, closing);
    const addresses = config.engine.centerRegistry;
    if (addresses.length > 0 && config.sinks.length > 0)
      log.warn('sinks are not used here: reports go to the centre, which delivers them');
    return { ...(await runEngine(config, log, options, store, closing, addresses)), stop: closing.run };
  });
}

/** Opens the store and starts a centre. Throws with nothing left open when a part cannot start. */
export function startCenter(
  config: Config,
  log: Logger,
  options: GatewayOptions = {},
): Promise<CenterProcess> {
  return opening(log, async (closing) => {
    const store = await openStoreOf(config, log, closing);
    return { ...(await runCenter(config, log, options, store, closing)), stop: closing.run };
  });
}

/** A centre and an engine that is joined to it, in one process and on one store; other engines may join too. */
export function startSingle(
  config: Config,
  log: Logger,
  options: GatewayOptions = {},
): Promise<Gateway & { readonly center: Center }> {
  return opening(log, async (closing) => {
    const store = await openStoreOf(config, log, closing);
    const { center } = await runCenter(config, log, options, store, closing, [store.identity.publicKey]);
    const { bind, tls } = config.center.registry;
    const host = bind === '0.0.0.0' ? '127.0.0.1' : bind === '::' ? '::1' : bind;
    const scheme = tls ? 'tls' : 'tcp';
    const own = { scheme, host, port: center.listener!.port, path: '/' } as const;
    const engine = await runEngine(config, log, options, store, closing, [own]);
    return { ...engine, center, stop: closing.run };
  });
}

async function runEngine(
  config: Config,
  log: Logger,
  options: GatewayOptions,
  store: Store,
  closing: Closing,
  addresses: Config['engine']['centerRegistry'],
): Promise<Omit<Gateway, 'stop'>> {
  let monitor: Monitor | undefined;
  const alone = addresses.length === 0;
  // Where neither a centre nor a sink takes reports, they would only fill the disk.
  const keeping =
    options.report || (alone && config.sinks.length === 0)
      ? undefined
      : await outboxOf(config, store, closing, log);
  const outbox = keeping?.outbox;
  // Without a centre what is reported is delivered from here.
  const taking = outbox && alone ? await openReports(config, log, store, closing) : undefined;
  if (outbox && taking) {
    const { LocalReports } = await import('./center/reports-local.js');
    const { identity } = store;
    const self = {
      name: config.engine.name,
      get node() {
        return identity.node;
      },
    };
    const local = new LocalReports(outbox, taking.intake, self, log);
    closing.add(async () => local.stop());
  }
  const sinks = taking && (await openSinks(config, log, taking.feed, closing));
  const shown = !options.report && config.sinks.length === 0 && config.engine.centerRegistry.length === 0;
  const engine = buildEngine(engineOptions(await withPorts(config, log)), store, log, options, (report) => {
    monitor?.reported(report.deviceId);
    if (shown) logReport(log, report);
    return options.report ? options.report(report) : outbox?.report(report);
  });
  let api: Api | undefined;
  const commands = addresses.length > 0 ? new Commands(engine, await store.map('started')) : undefined;
  const joined =
    commands !== undefined
      ? new (await import('./uplink/connect.js')).Membership(engine, {
          config: config.engine,
          commands,
          addresses,
          identity: store.identity,
          version: version(),
          log: log.child({ at: 'uplink' }),
          reports: outbox,
          heard: (time) => keeping?.clock.heard(time),
          api: () => api?.port,
        })
      : undefined;
  closing.add(() => joined?.stop());
  const uplink = joined?.uplink;
  monitor = new Monitor({
    role: 'engine',
    name: config.engine.name,
    version: version(),
    alerts: config.alerts,
    log,
    engine,
    store: store.health,
    outbox: outbox && (() => outbox.status()),
    intake: taking?.intake.engines,
    feed: taking && (() => taking.feed.health()),
    sinks: sinks?.status,
    ...(uplink && { uplink: () => ({ ...uplink.state, flaps: uplink.counters.flaps }) }),
    counters: () => ({
      ...(joined && {
        uplink: joined.uplink.counters,
        uplink_messages: joined.uplink.messages,
        mesh_sends: joined.mesh.counters.sends,
        mesh_publishes: joined.mesh.counters.publishes,
        mesh_failures: joined.mesh.counters.failures,
        commands: commands?.counters ?? {},
        reports: joined.reports?.counters ?? {},
      }),
      ...(taking && intakeCounters(taking.intake)),
      ...apiCounters(api),
    }),
  });
  closing.add(() => monitor?.stop());
  const host = new EngineHost(engine, {
    version: version(),
    api: () => api?.address,
    outbox: () => outbox?.status(),
    sinks: sinks?.status,
    ...(uplink && { uplink: () => uplink.state }),
  });
  api = await serveApi(host, config.engine.apiServer, config, log, options, monitor, closing);
  // The engine ends first: its handlers may still need the others.
  closing.add(() => engine.stop());
  if (joined) {
    joined.serve(engineRequests(host), host.trace.bind(host));
    await joined.start();
    // Clients get the leased number from the first one on, if the centre is there.
    if (store.identity.node === 0) await joined.firstLease(FIRST_LEASE_MS);
  }
  await engine.start();
  joined?.serversChanged();
  return { engine, store, api, uplink };
}

async function runCenter(
  config: Config,
  log: Logger,
  options: GatewayOptions,
  store: Store,
  closing: Closing,
  trustedKeys: readonly Uint8Array[] = [],
): Promise<Omit<CenterProcess, 'stop'>> {
  const { Center } = await import('./center/center.js');
  const { CenterHost } = await import('./api/center-host.js');
  const { registry, joinToken, apiServer } = config.center;
  const { Devices } = await import('./center/devices.js');
  const devices = new Devices(await store.map('devices'), log.child({ at: 'devices' }));
  closing.add(async () => devices.stop());
  const taking = await openReports(config, log, store, closing, devices.observe);
  const center = new Center(
    { registry, joinToken: joinToken ?? config.engine.joinToken, trustedKeys },
    { log: log.child({ at: 'registry' }), values: store.part('center') },
  );
  closing.add(() => center.stop());
  const { Commands: CenterCommands } = await import('./center/commands.js');
  const commands = new CenterCommands(
    {
      map: await store.map('commands'),
      log: log.child({ at: 'commands' }),
      nodeOf: (device) => center.registry.device(device)?.node,
    },
    { maxAge: config.store.maxAge },
  );
  closing.add(async () => commands.stop());
  center.registry.onDevice = (device, node) => {
    devices.attached(device, center.registry.engineOfNode(node)?.name ?? '');
    commands.deviceAttached(device);
  };
  const { followTrace } = await import('./uplink/trace.js');
  const { STREAM } = await import('./uplink/messages.js');
  center.onStream(STREAM.commands, (engine, stream) => commands.attach(engine, stream));
  const { ReportStreams } = await import('./center/reports-streams.js');
  const reports = taking && new ReportStreams(taking.intake.take.bind(taking.intake), log, center.messages);
  if (reports) center.onStream(STREAM.reports, (engine, stream) => reports.serve(engine, stream));
  const sinks = taking && (await openSinks(config, log, taking.feed, closing));
  const host = new CenterHost(
    center,
    version(),
    (engine, id, listener, ended) => followTrace(engine.openStream(STREAM.log), id, listener, ended),
    commands,
    devices,
    sinks?.status,
  );
  let api: Api | undefined;
  const monitor = new Monitor({
    role: 'center',
    name: 'center',
    version: version(),
    alerts: config.alerts,
    log,
    store: store.health,
    center: host.figures,
    intake: taking?.intake.engines,
    feed: taking && (() => taking.feed.health()),
    sinks: sinks?.status,
    counters: () => ({
      center: numbersOf(center.counters),
      center_messages: center.messages,
      relay: numbersOf(center.relay.counters),
      commands: commands.counters,
      devices: devices.counters,
      ...(taking && intakeCounters(taking.intake)),
      ...(reports && { report_streams: reports.counters }),
      ...apiCounters(api),
    }),
  });
  closing.add(() => monitor.stop());
  await center.start();
  api = await serveApi(host, apiServer, config, log, options, monitor, closing);
  return { center, store, api };
}

/**
 * Opens what takes reports in and keeps them for the sinks. Undefined when the disk allows nothing of the kind: then
 * reports stay where they come from.
 */
async function openReports(
  config: Config,
  log: Logger,
  store: Store,
  closing: Closing,
  observe?: ReportObserver,
): Promise<{ intake: Intake; feed: Feed } | undefined> {
  const { openIntake } = await import('./center/reports-open.js');
  const readers = config.sinks.map(({ name }) => name);
  const own = log.child({ at: 'reports' });
  try {
    const opened = await openIntake({
      store: config.store,
      values: await store.map('cursors', CURSOR_DELAY_MS),
      readers,
      log: own,
      ...(observe && { observe }),
    });
    closing.add(() => opened.feed.close());
    return opened;
  } catch (error) {
    own.error('no reports can be taken in', { reason: messageOf(error) });
    return undefined;
  }
}

/** Begins to deliver what is taken in; undefined where nothing is to be delivered. */
async function openSinks(
  config: Config,
  log: Logger,
  feed: Feed,
  closing: Closing,
): Promise<Sinks | undefined> {
  if (config.sinks.length === 0) return undefined;
  const { Sinks } = await import('./sinks/sinks.js');
  const letters = join(config.store.path, 'dead-letters');
  const sinks = await Sinks.start(config.sinks, feed, letters, log.child({ at: 'sinks' }));
  closing.add(() => sinks.close());
  return sinks;
}

/** The engine's outbox; it closes after all that reports and all that takes from it. */
async function outboxOf(
  config: Config,
  store: Store,
  closing: Closing,
  log: Logger,
): Promise<{ outbox: Outbox; clock: Clock }> {
  const { openOutbox } = await import('./store/outbox-open.js');
  const shared = config.engine.centerRegistry.length === 0;
  const opened = await openOutbox(config, store, shared, log.child({ at: 'outbox' }));
  closing.add(() => opened.outbox.close());
  return opened;
}

function intakeCounters({ counters, received }: Intake): Record<string, object> {
  return { intake: counters, received: received.counters };
}

/** What an API counts, once it is there. */
function apiCounters(api: Api | undefined): Record<string, object> {
  return api ? { api_websocket: api.counters.webSockets, api_refused: api.counters.refused } : {};
}

/** The counters of a part that are plain numbers. */
function numbersOf(counters: object): Record<string, number> {
  return Object.fromEntries(Object.entries(counters).filter(([, count]) => typeof count === 'number'));
}

async function serveApi(
  host: ApiHost,
  settings: Config['engine']['apiServer'],
  config: Config,
  log: Logger,
  options: GatewayOptions,
  monitor: Monitor,
  closing: Closing,
): Promise<Api> {
  const { startApi } = await import('./api/server.js');
  const access = options.access ?? (() => config.access);
  const own = log.child({ at: 'api' });
  const tls =
    settings.tls && new (await import('./transports/tlscredentials.js')).TlsCredentials(settings.tls, own);
  const api = await startApi(host, { config: settings, access, log: own, monitor, tls });
  closing.add(() => api.close());
  return api;
}
