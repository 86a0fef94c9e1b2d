/** Reads the Prometheus text format as far as `moonwire top` needs it. */

/** Samples by name, in their order. */
export type Metrics = ReadonlyMap<string, readonly Sample[]>;

export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const SAMPLE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;

/** All samples; lines that are none are passed over. */
export function readMetrics(text: string): Metrics {
  const metrics = new Map<string, Sample[]>();
  for (const line of text.split('\n')) {
    const [, name, set = '', number] = SAMPLE.exec(line) ?? [];
    if (name === undefined) continue;
    const labels = Object.fromEntries(
      [...set.matchAll(LABEL)].map(([, key, value]) => [
        key!,
        value!.replace(/\\(.)/g, (_, c) => (c === 'n' ? '\n' : c)),
      ]),
    );
    const samples = metrics.get(name);
    if (samples) samples.push({ labels, value: Number(number) });
    else metrics.set(name, [{ labels, value: Number(number) }]);
  }
  return metrics;
}

/** The sum of a name's samples with these labels; 0 when there are none. */
export function sumOf(metrics: Metrics, name: string, labels: Readonly<Record<string, string>> = {}): number {
  let sum = 0;
  for (const sample of metrics.get(name) ?? []) {
    if (Object.entries(labels).every(([key, value]) => sample.labels[key] === value)) sum += sample.value;
  }
  return sum;
}
