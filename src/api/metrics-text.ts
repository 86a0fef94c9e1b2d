/**
 * Writes metrics in the Prometheus text format, version 0.0.4: families of samples, each family with its help and type.
 *
 * The counters exist already, so there is nothing for a metrics library to count; prom-client costs 4.2 MiB of
 * anonymous memory and 55 ms at its first use, an eighth of an idle engine's budget, for what these lines do.
 */

import { BUCKETS, type Histogram } from '../engine/histogram.js';

/** The content type of what {@link MetricsText} writes. */
export const METRICS_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** Names and values of a sample's labels; the names must be well formed, the values may be anything. */
export type Labels = Readonly<Record<string, string>>;
/** A value, or one for each set of labels. */
export type Samples<T> = T | Iterable<readonly [Labels, T]>;

const BOUNDS = [...BUCKETS.map(String), '+Inf'];

export class MetricsText {
  private readonly lines: string[] = [];

  /** What only rises; the name ends in `_total`. */
  counter(name: string, help: string, samples: Samples<number>): void {
    this.family(name, help, 'counter', samples);
  }

  /** What rises and falls. */
  gauge(name: string, help: string, samples: Samples<number>): void {
    this.family(name, help, 'gauge', samples);
  }

  /** Durations; the name ends in `_seconds`. */
  histogram(name: string, help: string, samples: Iterable<readonly [Labels, Histogram]>): void {
    this.head(name, help, 'histogram');
    for (const [labels, { counts, sum }] of samples) {
      let below = 0;
      BOUNDS.forEach((le, i) => {
        below += counts[i]!;
        this.sample(`${name}_bucket`, { ...labels, le }, below);
      });
      this.sample(`${name}_sum`, labels, sum);
      this.sample(`${name}_count`, labels, below);
    }
  }

  /** Everything written so far. */
  toString(): string {
    return this.lines.length === 0 ? '' : `${this.lines.join('\n')}\n`;
  }

  private family(name: string, help: string, type: 'counter' | 'gauge', samples: Samples<number>): void {
    this.head(name, help, type);
    if (typeof samples === 'number') this.sample(name, {}, samples);
    else for (const [labels, value] of samples) this.sample(name, labels, value);
  }

  private head(name: string, help: string, type: string): void {
    this.lines.push(`# HELP ${name} ${escapeHelp(help)}`, `# TYPE ${name} ${type}`);
  }

  private sample(name: string, labels: Labels, value: number): void {
    const pairs = Object.entries(labels).map(([key, text]) => `${key}="${escapeLabel(text)}"`);
    const set = pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
    this.lines.push(`${name}${set} ${formatValue(value)}`);
  }
}

function escapeHelp(text: string): string {
  return text.replace(/[\\\n]/g, (c) => (c === '\n' ? '\\n' : '\\\\'));
}

function escapeLabel(text: string): string {
  return text.replace(/[\\\n"]/g, (c) => (c === '\n' ? '\\n' : `\\${c}`));
}

/** As Go's ParseFloat reads it. */
function formatValue(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  return value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value);
}
