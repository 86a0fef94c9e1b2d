/** What the process itself does: how late its event loop is, garbage collection, memory, CPU. */

import { constants, type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks';
import { Histogram } from '../engine/histogram.js';
import type { MetricsText } from './metrics-text.js';

/** Time between two looks at the event loop: a block of that length or more is always seen. */
const LOOK_MS = 250;
/** The worst lateness is remembered for this long to twice this long. */
const WORST_MS = 30_000;

const GC_KINDS = new Map([
  [constants.NODE_PERFORMANCE_GC_MINOR, 'minor'],
  [constants.NODE_PERFORMANCE_GC_MAJOR, 'major'],
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL, 'incremental'],
  [constants.NODE_PERFORMANCE_GC_WEAKCB, 'weak_callbacks'],
]);

/** What the types of Node leave out. */
type GcEntry = PerformanceEntry & { readonly detail: { readonly kind: number } };

/** Watches the process until it is stopped. */
export class ProcessWatch {
  /** How late timers ran, in seconds. */
  readonly lag = new Histogram();
  /** Seconds of garbage collection, by kind. */
  private readonly gcSeconds = new Map([...GC_KINDS.values()].map((kind) => [kind, 0]));
  private readonly observer: PerformanceObserver;
  private readonly timer: NodeJS.Timeout;
  private expected = performance.now() + LOOK_MS;
  private worst = { before: 0, now: 0, began: performance.now() };

  constructor() {
    this.timer = setInterval(() => this.look(), LOOK_MS).unref();
    this.observer = new PerformanceObserver((list) => {
      for (const { detail, duration } of list.getEntries() as GcEntry[]) {
        const kind = GC_KINDS.get(detail.kind);
        if (kind) this.gcSeconds.set(kind, this.gcSeconds.get(kind)! + duration / 1000);
      }
    });
    this.observer.observe({ entryTypes: ['gc'] });
  }

  /** The longest a timer was late, in seconds, within the last half minute at least. */
  get worstLag(): number {
    return Math.max(this.worst.before, this.worst.now);
  }

  stop(): void {
    clearInterval(this.timer);
    this.observer.disconnect();
  }

  /** The standard names of Prometheus clients where there are any, so that ready-made dashboards find them. */
  write(text: MetricsText): void {
    const memory = process.memoryUsage();
    const cpu = process.cpuUsage();
    text.counter(
      'process_cpu_seconds_total',
      'CPU time in user and system mode.',
      (cpu.user + cpu.system) / 1e6,
    );
    text.gauge('process_start_time_seconds', 'When the process started, in Unix seconds.', startTime());
    text.gauge('process_resident_memory_bytes', 'Resident memory.', memory.rss);
    text.gauge('moonwire_memory_bytes', 'Memory by kind.', [
      [{ kind: 'heap_used' }, memory.heapUsed],
      [{ kind: 'heap_total' }, memory.heapTotal],
      [{ kind: 'external' }, memory.external],
      [{ kind: 'array_buffers' }, memory.arrayBuffers],
    ]);
    text.counter(
      'moonwire_gc_seconds_total',
      'Time spent collecting garbage.',
      [...this.gcSeconds].map(([kind, seconds]) => [{ kind }, seconds] as const),
    );
    text.counter(
      'moonwire_event_loop_active_seconds_total',
      'Time the event loop did something other than wait.',
      performance.eventLoopUtilization().active / 1000,
    );
    text.histogram('moonwire_event_loop_lag_seconds', 'How late timers run.', [[{}, this.lag]]);
    text.gauge(
      'moonwire_event_loop_lag_worst_seconds',
      'The longest a timer was late within the last 30 to 60 seconds.',
      this.worstLag,
    );
  }

  private look(): void {
    const now = performance.now();
    const late = Math.max(0, now - this.expected) / 1000;
    this.expected = now + LOOK_MS;
    this.lag.add(late);
    if (now - this.worst.began > WORST_MS) this.worst = { before: this.worst.now, now: 0, began: now };
    this.worst.now = Math.max(this.worst.now, late);
  }
}

function startTime(): number {
  return performance.timeOrigin / 1000;
}
