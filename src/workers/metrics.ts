/** The metrics of the primary and its workers as those of one target. */

/** Metrics in Prometheus' text format, and the value of the label `worker` that each of its samples gets. */
export interface WorkerMetrics {
  readonly worker: string;
  readonly text: string;
}

interface Family {
  /** Its help and type. */
  readonly head: string[];
  readonly samples: string[];
}

/**
 * Joins them: each family stands once, with the samples of all. Nothing is added up, since Prometheus does that
 * (`sum by (server) (moonwire_clients)`), and a worker that begins anew does not look like a counter that fell. A
 * label `worker` that a script gave is renamed `exported_worker`, as Prometheus does with labels of its own.
 */
export function joinMetrics(own: string, workers: readonly WorkerMetrics[]): string {
  const families = new Map<string, Family>();
  readFamilies(families, own, (sample) => sample);
  for (const { worker, text } of workers) readFamilies(families, text, (sample) => labelled(sample, worker));
  const lines = [...families.values()].flatMap(({ head, samples }) => [...head, ...samples]);
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}

function readFamilies(families: Map<string, Family>, text: string, change: (sample: string) => string): void {
  let family: Family | undefined;
  let isNew = false;
  for (const line of text.split('\n')) {
    if (line === '') continue;
    if (line.startsWith('# HELP ')) {
      const name = line.split(' ', 3)[2]!;
      const known = families.get(name);
      isNew = known === undefined;
      family = known ?? { head: [], samples: [] };
      families.set(name, family);
    }
    if (!line.startsWith('#')) family?.samples.push(change(line));
    else if (isNew) family?.head.push(line);
  }
}

function labelled(sample: string, worker: string): string {
  const at = sample.search(/[{ ]/);
  const label = `worker="${worker}"`;
  if (sample[at] === ' ') return `${sample.slice(0, at)}{${label}}${sample.slice(at)}`;
  // Within a value there is no quote without a backslash before it.
  const rest = sample.slice(at + 1).replace(/(^|,)worker="/, '$1exported_worker="');
  return `${sample.slice(0, at)}{${label},${rest}`;
}
