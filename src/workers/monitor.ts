/** Health and metrics of the primary and its workers together. */

import { setTimeout as wait } from 'node:timers/promises';
import { MetricsText } from '../api/metrics-text.js';
import type { ApiMonitor } from '../api/route.js';
import type { HealthReport } from '../api/shapes.js';
import { joinMetrics, type WorkerMetrics } from './metrics.js';
import type { Worker } from './worker.js';
import type { Workers } from './workers.js';

/** What the counters of a worker mean. */
const COUNTERS: readonly [keyof Worker['counters'], name: string, help: string][] = [
  ['starts', 'worker_starts_total', 'Processes of a worker that were started.'],
  ['ends', 'worker_ends_total', 'Processes of a worker that ended without being asked to.'],
  ['hangs', 'worker_hangs_total', 'Processes of a worker that were killed since they hung.'],
  ['connections', 'worker_connections_total', 'Connections that were handed to a worker.'],
  ['missed', 'worker_connections_missed_total', 'Connections on their way to a process that ended.'],
];
/** Why connections were refused before they reached a worker. */
const REFUSED = { limit: 'refusedLimit', rate: 'refusedRate', busy: 'refusedBusy' } as const;

/** A scrape must not wait long for a worker that hangs, in milliseconds. */
const ANSWER_MS = 2000;

export class WorkersMonitor implements ApiMonitor {
  constructor(
    private readonly own: { health(): HealthReport; metrics(): string },
    private readonly workers: Workers,
  ) {}

  health(): HealthReport {
    return this.own.health();
  }

  /** Those of workers that do not answer are left out. */
  async metrics(): Promise<string> {
    const answers = await Promise.all(
      this.workers.ready.map(async (worker): Promise<WorkerMetrics[]> => {
        try {
          const text = await soon(worker.request('metrics', undefined));
          return text === undefined ? [] : [{ worker: worker.name, text: text as string }];
        } catch {
          return [];
        }
      }),
    );
    return joinMetrics(this.own.metrics() + this.supervised(), answers.flat());
  }

  /** What only the primary knows. */
  private supervised(): string {
    const { all, acceptors } = this.workers;
    const text = new MetricsText();
    const labelsOf = ({ name }: Worker) => ({ worker: name });
    text.gauge(
      'moonwire_worker_up',
      'Whether a worker serves.',
      all.map((worker) => [labelsOf(worker), worker.report ? 1 : 0]),
    );
    for (const [counter, name, help] of COUNTERS) {
      text.counter(
        `moonwire_${name}`,
        help,
        all.map((worker) => [labelsOf(worker), worker.counters[counter]]),
      );
    }
    text.counter(
      'moonwire_connections_refused_total',
      'Connections refused, by reason.',
      acceptors.flatMap(({ name, counters }) =>
        Object.entries(REFUSED).map(
          ([reason, counter]) => [{ server: name, reason }, counters[counter]] as const,
        ),
      ),
    );
    return text.toString();
  }
}

/** What is answered in time; undefined when nothing is. */
async function soon(answer: Promise<unknown>): Promise<unknown> {
  const giveUp = new AbortController();
  const late = wait(ANSWER_MS, undefined, { signal: giveUp.signal }).catch(() => {});
  try {
    return await Promise.race([answer, late]);
  } finally {
    giveUp.abort();
    answer.catch(() => {});
  }
}
