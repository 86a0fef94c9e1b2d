/** Monitors for tests: of an engine alone, or with all that can be watched. */

import type { Test } from 'tap';
import { Monitor, type MonitorOptions } from '../../src/api/monitor.js';
import { parseConfig } from '../../src/config/load.js';
import type { AlertsConfig } from '../../src/config/schema.js';
import { silentLogger } from '../../src/log.js';
import { openStore } from '../../src/store/store.js';

/** `alerts` of a configuration, from YAML. */
export function alertsOf(yaml = '{}'): AlertsConfig {
  return parseConfig(`alerts: ${yaml}`, 'test.yaml').config.alerts;
}

/** A monitor that ends with the test. */
export function startMonitor(t: Test, options: Partial<MonitorOptions> = {}): Monitor {
  const monitor = new Monitor({
    role: 'engine',
    name: 'test',
    version: '1.2.3',
    alerts: alertsOf(),
    log: silentLogger,
    ...options,
  });
  t.teardown(() => monitor.stop());
  return monitor;
}

/** One with a store, an uplink, a centre that lacks an engine, and another part's counters beside `options`. */
export async function startFullMonitor(t: Test, options: Partial<MonitorOptions>): Promise<Monitor> {
  const store = await openStore({ path: t.testdir(), log: silentLogger });
  t.teardown(() => store.close());
  return startMonitor(t, {
    store: () => store.health(),
    uplink: () => ({ connected: true, since: 0, flaps: 3, roundTripMs: 12.5 }),
    center: {
      engines: () => [
        { name: 'a', connected: true, clients: 5 },
        { name: 'b', connected: false, clients: 0 },
      ],
      channels: 7,
      devices: 8,
      commands: { queued: 3, done: 1 },
      refusals: { bad_token: 2 },
    },
    counters: () => ({ api: { closedSlow: 4, nested: { no: 1 } } }),
    ...options,
  });
}
