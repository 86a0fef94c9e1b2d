/**
 * The counters and gauges of an engine's scripts. `/metrics` shows them under the prefix `moonwire_script_`, so a
 * script cannot pass for the gateway itself.
 */

import { MoonwireError } from '../errors.js';

/** Most series of one engine: combinations of a name and its labels. */
export const MAX_SERIES = 1000;
/** Most labels of one series, and bytes of a label's value. */
export const MAX_LABELS = 16;
export const MAX_LABEL_BYTES = 256;

/** What a metric counts: a counter only rises, a gauge is set. */
export type MetricKind = 'counter' | 'gauge';

/** One series as it stands. */
export interface Series {
  readonly name: string;
  readonly kind: MetricKind;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

interface Family {
  readonly kind: MetricKind;
  /** By its labels, in the order of their names. */
  readonly series: Map<string, { labels: Readonly<Record<string, string>>; value: number }>;
}

export class ScriptMetrics {
  /** Updates refused because there were {@link MAX_SERIES} series. */
  refused = 0;
  private readonly families = new Map<string, Family>();
  private size = 0;

  /**
   * Adds `n` to a counter, which begins at 0. Throws MoonwireError: `conflict` when the name is a gauge's,
   * `queue_full` when there are too many series.
   */
  add(name: string, labels: Readonly<Record<string, string>>, n: number): void {
    this.seriesOf('counter', name, labels).value += n;
  }

  /** Sets a gauge. Throws as {@link add}. */
  set(name: string, labels: Readonly<Record<string, string>>, value: number): void {
    this.seriesOf('gauge', name, labels).value = value;
  }

  /** All series, those of one name together, as Prometheus wants them. */
  *series(): Generator<Series> {
    for (const [name, { kind, series }] of this.families) {
      for (const { labels, value } of series.values()) yield { name, kind, labels, value };
    }
  }

  private seriesOf(kind: MetricKind, name: string, labels: Readonly<Record<string, string>>) {
    const family = this.families.get(name) ?? { kind, series: new Map() };
    if (family.kind !== kind) throw new MoonwireError('conflict', `${name} is a ${family.kind} already`);
    const sorted = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
    const key = JSON.stringify(sorted);
    let series = family.series.get(key);
    if (!series) {
      if (this.size >= MAX_SERIES) {
        this.refused++;
        throw new MoonwireError('queue_full', `an engine's scripts have at most ${MAX_SERIES} series`);
      }
      series = { labels: Object.fromEntries(sorted), value: 0 };
      family.series.set(key, series);
      this.families.set(name, family);
      this.size++;
    }
    return series;
  }
}
