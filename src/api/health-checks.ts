/** What is looked at to say how the process is. */

import type { Engine } from '../engine/engine.js';
import { type Finding, type HealthCheck, RecentRises } from './health.js';
import type { ProcessWatch } from './metrics-process.js';
import type { CenterSource, StoreSource, UplinkSource } from './monitor-sources.js';

/** Seconds the event loop may be late. */
const LAG_SECONDS = 1;

/** Servers listen, links are open, queues have room, scripts keep to their budget. */
export function engineChecks(engine: Engine): HealthCheck[] {
  const exceeded = new RecentRises();
  return [
    function* servers() {
      for (const { config, listener } of engine.servers) {
        if (listener) continue;
        yield {
          code: 'server_down',
          where: config.name,
          text: `server ${config.name} does not listen`,
          unready: true,
        };
      }
    },
    function* links() {
      for (const { config, station } of engine.links) {
        if (station.clients.size === 0)
          yield { code: 'link_down', where: config.name, text: `link ${config.name} is not open` };
      }
    },
    () => fullQueues(engine),
    function* overload() {
      const { active, lag } = engine.limits.overload;
      if (!active) return;
      const text = `new connections are refused: the event loop is late by ${lag.toFixed(1)} s`;
      yield { code: 'overloaded', text };
    },
    function* budget(now) {
      for (const { config, station } of [...engine.servers, ...engine.links]) {
        const count = station.counters.budgetExceeded;
        if (!exceeded.has(config.name, count, now)) continue;
        const text = `${config.name}: handlers were stopped for using more than their budget, ${count} in all`;
        yield { code: 'budget_exceeded', where: config.name, text };
      }
    },
  ];
}

/** Topics that take no more. */
export function* fullQueues({ queues }: Engine): Generator<Finding & { code: 'queue_full' }> {
  const { topicSize, maxTopics } = queues.limits;
  let topics = 0;
  for (const [topic, depth] of queues.depths()) {
    topics++;
    if (depth >= topicSize)
      yield { code: 'queue_full', where: topic, text: `topic ${topic} holds ${depth} messages, the most` };
  }
  if (topics >= maxTopics)
    yield { code: 'queue_full', text: `${topics} topics hold messages, the most; no other can be used` };
}

/** What scripts and the process keep is on disk. */
export function storeCheck(store: StoreSource): HealthCheck {
  return function* check() {
    const { ok, error } = store();
    if (!ok) yield { code: 'store_failing', text: error ?? 'what is kept is in memory only' };
  };
}

/** The centre is there. */
export function uplinkCheck(uplink: UplinkSource): HealthCheck {
  return function* check() {
    const { connected, since } = uplink();
    if (connected) return;
    const age = Math.max(0, Date.now() / 1000 - since);
    yield { code: 'uplink_down', text: 'no centre is connected; local traffic goes on', age };
  };
}

/** All engines that the centre knows are there. */
export function centerCheck(center: CenterSource): HealthCheck {
  return function* check() {
    for (const { name, connected } of center.engines()) {
      if (!connected) yield { code: 'engine_lost', where: name, text: `engine ${name} is not connected` };
    }
  };
}

/** The event loop turns in time. */
export function lagCheck(process: ProcessWatch): HealthCheck {
  return function* check() {
    const { worstLag } = process;
    if (worstLag <= LAG_SECONDS) return;
    yield { code: 'event_loop_lag', text: `the event loop was late by ${worstLag.toFixed(1)} s` };
  };
}
