/** Runs a centre with its API, its devices and commands, and what takes reports in. */

import type { CenterHost } from '../api/center-host.js';
import { Monitor, type MonitorOptions } from '../api/monitor.js';
import type { PartCounters } from '../api/monitor-sources.js';
import type { Api } from '../api/server.js';
import type { Center, CenterOptions } from '../center/center.js';
import type { RegistryAddress } from '../config/address.js';
import { version } from '../package.js';
import { apiCounters, numbersOf, serveApi } from './api.js';
import type { CenterProcess, Controls, Setting } from './process.js';
import { intakeCounters, openReports, openSinks } from './reports.js';

/** Runs a centre; engines with `trustedKeys` need no token. */
export async function runCenter(
  setting: Setting,
  trustedKeys: readonly Uint8Array[] = [],
): Promise<Omit<CenterProcess, keyof Controls>> {
  const { config, log, store, closing } = setting;
  const { registry, joinToken = config.engine.joinToken, apiServer } = config.center;
  const { center, host, monitored } = await openCenter(setting, { registry, joinToken, trustedKeys });
  let api: Api | undefined;
  const monitor = new Monitor({
    ...monitored,
    config: setting.reconfiguration,
    role: 'center',
    name: 'center',
    version: version(),
    alerts: config.alerts,
    log,
    counters: () => ({ ...monitored.counters(), ...apiCounters(api) }),
  });
  closing.add(() => monitor.stop());
  await center.start();
  api = await serveApi(setting, host, apiServer, monitor);
  return { center, store, api };
}

/** Where an engine on this machine reaches a centre that listens. */
export function ownAddress({ bind, tls }: CenterOptions['registry'], { listener }: Center): RegistryAddress {
  const host = bind === '0.0.0.0' ? '127.0.0.1' : bind === '::' ? '::1' : bind;
  return { scheme: tls ? 'tls' : 'tcp', host, port: listener!.port, path: '/' };
}

/** A centre that has not begun, and what its process shows of it. */
export interface OpenCenter {
  readonly center: Center;
  readonly host: CenterHost;
  readonly monitored: Pick<
    MonitorOptions,
    'store' | 'center' | 'intake' | 'feed' | 'feedMissing' | 'sinks'
  > & {
    counters(): PartCounters;
  };
}

/** Makes a centre with its devices and commands, and opens what takes reports in; nothing listens yet. */
export async function openCenter(setting: Setting, options: CenterOptions): Promise<OpenCenter> {
  const { config, log, store, closing } = setting;
  const { Center } = await import('../center/center.js');
  const { CenterHost } = await import('../api/center-host.js');
  const { Devices } = await import('../center/devices.js');
  const devices = new Devices(await store.map('devices'), log.child({ at: 'devices' }));
  closing.add(async () => devices.stop());
  const taking = await openReports(setting, devices.observe);
  const center = new Center(options, { log: log.child({ at: 'registry' }), values: store.part('center') });
  closing.add(() => center.stop());
  const { Commands } = await import('../center/commands.js');
  const commands = new Commands(
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
  const { followTrace } = await import('../uplink/trace.js');
  const { STREAM } = await import('../uplink/messages.js');
  center.onStream(STREAM.commands, (engine, stream) => commands.attach(engine, stream));
  const { ReportStreams } = await import('../center/reports-streams.js');
  const reports = taking && new ReportStreams(taking.intake.take.bind(taking.intake), log, center.messages);
  if (reports) center.onStream(STREAM.reports, (engine, stream) => reports.serve(engine, stream));
  const sinks = taking && (await openSinks(setting, taking.feed));
  const host = new CenterHost(
    center,
    version(),
    (engine, id, listener, ended) => followTrace(engine.openStream(STREAM.log), id, listener, ended),
    commands,
    devices,
    sinks?.status,
    setting.reconfiguration,
  );
  setting.reconfiguration.sinks = sinks;
  const monitored: OpenCenter['monitored'] = {
    store: store.health,
    center: host.figures,
    intake: taking?.intake.engines,
    feed: taking && (() => taking.feed.health()),
    feedMissing: !taking,
    sinks: sinks?.status,
    counters: () => ({
      center: numbersOf(center.counters),
      center_messages: center.messages,
      relay: numbersOf(center.relay.counters),
      commands: commands.counters,
      devices: devices.counters,
      ...(taking && intakeCounters(taking.intake)),
      ...(reports && { report_streams: reports.counters }),
    }),
  };
  return { center, host, monitored };
}
