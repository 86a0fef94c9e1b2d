/** What the built-in alerts look for. */

import type { AlertsConfig } from '../config/schema.js';
import type { Engine } from '../engine/engine.js';
import type { AlertCheck } from './alerts.js';
import type { DeviceWatch } from './alerts-devices.js';
import { fullQueues } from './health-checks.js';
import type { CenterSource, UplinkSource } from './monitor-sources.js';

/** Devices that were heard before and are silent. */
export function deviceSilent(devices: DeviceWatch, after: AlertsConfig['deviceSilent']): AlertCheck {
  return function* check(now) {
    if (after === 0) return;
    for (const { id, seconds } of devices.silent(after, now)) {
      const text = `device ${id} was not heard for ${after} s or longer`;
      yield { alert: 'device_silent', where: id, text, age: seconds };
    }
  };
}

/** Topics that take no more, or took no more since the last look. */
export function queueFull(engine: Engine): AlertCheck {
  let refused = 0;
  return function* check() {
    const before = refused;
    refused = engine.queues.counters.refused;
    let full = false;
    for (const { where, text } of fullQueues(engine)) {
      full = true;
      yield { alert: 'queue_full', where: where ?? '', text };
    }
    if (full || refused === before) return;
    yield { alert: 'queue_full', where: '', text: 'queues were full and refused messages' };
  };
}

/** An uplink that is lost again and again. */
export function uplinkFlapping(uplink: UplinkSource, settings: AlertsConfig['uplinkFlapping']): AlertCheck {
  const { times, within } = settings;
  /** When it was lost, as often as matters. */
  let losses: number[] = [];
  let known = uplink().flaps;
  return function* check(now) {
    const { flaps } = uplink();
    const fresh = Math.min(flaps - known, times);
    known = flaps;
    for (let i = 0; i < fresh; i++) losses.push(now);
    losses = losses.filter((at) => now - at <= within).slice(-times);
    if (losses.length < times) return;
    const text = `the uplink was lost ${times} times or more within ${within} s`;
    yield { alert: 'uplink_flapping', where: 'uplink', text, age: now - losses[0]! };
  };
}

/** Engines that do not come back. */
export function engineLost(center: CenterSource, after: AlertsConfig['engineLost']): AlertCheck {
  let gone = new Map<string, number>();
  return function* check(now) {
    const before = gone;
    gone = new Map();
    for (const { name, connected } of center.engines()) {
      if (connected) continue;
      const since = before.get(name) ?? now;
      gone.set(name, since);
      if (now - since < after) continue;
      const text = `engine ${name} is not connected`;
      yield { alert: 'engine_lost', where: name, text, age: now - since };
    }
  };
}
