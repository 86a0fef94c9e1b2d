/** Runs an engine with its API, its outbox and its place in the mesh. */

import { EngineHost } from '../api/engine-host.js';
import { engineRequests } from '../api/engine-requests.js';
import { Monitor } from '../api/monitor.js';
import type { Config } from '../config/schema.js';
import { Commands } from '../engine/commands.js';
import { Engine } from '../engine/engine.js';
import { EngineEstate, EngineHeir } from '../engine/handover/engine-estate.js';
import type { Inheritance } from '../engine/handover/saved.js';
import { version } from '../package.js';
import { apiCounters, type OpenApi } from './api.js';
import { engineOptions, engineParts, withPorts } from './engine.js';
import { StoredLinks } from './links.js';
import type { Controls, Gateway, Setting } from './process.js';
import { intakeCounters, logReport, openReports, openSinks, outboxOf } from './reports.js';

/** How long an engine that never had a node number waits for its first before devices may connect. */
const FIRST_LEASE_MS = 2000;

/** Opens the API over an engine. */
type Serve<A> = (
  setting: Setting,
  host: EngineHost,
  settings: Config['engine']['apiServer'],
  monitor: Monitor,
) => Promise<A>;

/**
 * Runs an engine, whose API `serve` opens, if it is to have one; `addresses`: of the centres it joins, none for an engine alone.
 */
export async function runEngine<A extends OpenApi | undefined>(
  setting: Setting,
  addresses: Config['engine']['centerRegistry'],
  serve: Serve<A>,
): Promise<Omit<Gateway, keyof Controls | 'api'> & { api: A }> {
  const { config, log, options, store, continuation, closing } = setting;
  let monitor: Monitor | undefined;
  const alone = addresses.length === 0;
  // Where neither a centre nor a sink takes reports, they would only fill the disk.
  const keeping =
    options.report || (alone && config.sinks.length === 0) ? undefined : await outboxOf(setting);
  const outbox = keeping?.outbox;
  // Without a centre what is reported is delivered from here.
  const taking = outbox && alone ? await openReports(setting) : undefined;
  if (outbox && taking) {
    const { LocalReports } = await import('../center/reports-local.js');
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
  const sinks = taking && (await openSinks(setting, taking.feed));
  const shown =
    !options.report &&
    !options.reported &&
    config.sinks.length === 0 &&
    config.engine.centerRegistry.length === 0;
  const links = new StoredLinks(config, store, log);
  const own = { ...options, sockets: setting.sockets, links };
  const engineOf = engineOptions(await withPorts(config, log));
  const parts = engineParts(engineOf.script.roots, store, log, own, (report) => {
    monitor?.reported(report.deviceId);
    options.reported?.(report);
    if (shown) logReport(log, report);
    return options.report ? options.report(report) : outbox?.report(report);
  });
  parts.shrink = () => outbox?.shrink();
  const engine = continuation.engine ?? new Engine(engineOf, parts);
  engine.parts = parts;
  if (!continuation.engine) options.built?.(engine);
  let api: A | undefined;
  const commands = addresses.length > 0 ? new Commands(engine, await store.map('started')) : undefined;
  const joined =
    commands !== undefined
      ? new (await import('../uplink/connect.js')).Membership(engine, {
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
    config: setting.reconfiguration,
    log,
    engine,
    store: store.health,
    outbox: outbox && (() => outbox.status()),
    intake: taking?.intake.engines,
    feed: taking && (() => taking.feed.health()),
    feedMissing: alone && outbox !== undefined && !taking,
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
  setting.reconfiguration.engine = engine;
  setting.reconfiguration.sinks ??= sinks;
  const host = new EngineHost(engine, {
    version: version(),
    config: setting.reconfiguration,
    api: () => api?.address,
    outbox: () => outbox?.status(),
    sinks: sinks?.status,
    restart: continuation.restart,
    ...(uplink && { uplink: () => uplink.state }),
  });
  api = await serve(setting, host, config.engine.apiServer, monitor);
  // The engine ends first: its handlers may still need the others.
  let suspended = false;
  closing.add(() => (suspended ? undefined : engine.stop()));
  if (joined) {
    joined.serve(engineRequests(host), host.trace.bind(host));
    await joined.start();
    // Clients get the leased number from the first one on, if the centre is there.
    if (store.identity.node === 0) await joined.firstLease(FIRST_LEASE_MS);
  }
  // Of an engine in one process only another one takes over.
  if (!continuation.engine) await engine.start(continuation.inheritance as Inheritance | undefined);
  const suspend = (): Promise<void> => {
    suspended = true;
    return closing.run();
  };
  return {
    engine,
    store,
    api,
    uplink,
    alive: () => engine.alive,
    continuation: { engine },
    estate: (resume) => new EngineEstate(engine, { suspend, resume }),
    heir: (inheritance) => new EngineHeir(engine, inheritance as Inheritance),
  };
}
