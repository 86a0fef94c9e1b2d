/** How the engine gets along with its memory: health and metrics. */

import type { Engine } from '../engine/engine.js';
import { type Finding, type HealthCheck, RecentRises } from './health.js';
import type { MetricsText } from './metrics-text.js';

/** Memory is not short, and no script was restarted for what it kept. */
export function memoryCheck(engine: Engine): HealthCheck {
  const restarted = new RecentRises();
  return function* check(now): Generator<Finding> {
    const { refusing, share } = engine.memory;
    if (refusing) {
      const text = `memory is short, ${Math.round(share * 100)} % of what may be had is taken; new connections are refused`;
      yield { code: 'memory_short', text };
    }
    for (const { config, station } of [...engine.servers, ...engine.links]) {
      const count = station.counters.scriptRestarts;
      if (!restarted.has(config.name, count, now)) continue;
      const text = `${config.name}: the script was restarted for the memory it kept, ${count} times in all`;
      yield { code: 'script_restarted', where: config.name, text };
    }
  };
}

export function writeMemoryMetrics(text: MetricsText, { memory }: Engine): void {
  const { use, max, counters } = memory;
  text.gauge('moonwire_memory_limit_bytes', 'Bytes that may be had; 0: any.', [
    [{ kind: 'heap' }, use.heapLimit],
    [{ kind: 'own' }, max === Number.POSITIVE_INFINITY ? 0 : max],
  ]);
  text.gauge('moonwire_memory_used_ratio', 'How much of it is taken, of the scarcer kind.', memory.share);
  text.gauge(
    'moonwire_memory_short',
    'Whether new connections are refused for it; 1 is yes.',
    memory.refusing ? 1 : 0,
  );
  text.counter(
    'moonwire_memory_steps_total',
    'What was done when memory was short.',
    Object.entries(counters).map(([step, count]) => [{ step }, count]),
  );
}
