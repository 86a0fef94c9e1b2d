/** Reads the Prometheus text format, strictly, for tests. */

export interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/y;

/** All samples; throws on a line that is none, on a family that comes twice, on a sample without its family. */
export function readExposition(text: string): Sample[] {
  if (!text.endsWith('\n')) throw new Error('the last line does not end');
  const types = new Map<string, string>();
  const seen = new Set<string>();
  const samples: Sample[] = [];
  let family = '';
  for (const line of text.slice(0, -1).split('\n')) {
    const head = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line);
    if (head) {
      const [, kind, name, rest] = head;
      if (kind === 'TYPE') {
        if (types.has(name!)) throw new Error(`${name} comes twice`);
        types.set(name!, rest!);
        family = name!;
      }
      continue;
    }
    const match = SAMPLE.exec(line);
    if (!match) throw new Error(`not a sample: ${line}`);
    const [, name, set = '', number] = match;
    const base = types.get(family) === 'histogram' ? name!.replace(/_(bucket|sum|count)$/, '') : name;
    if (base !== family) throw new Error(`${name} stands under ${family}`);
    const labels = readLabels(set);
    const key = `${name} ${JSON.stringify(Object.entries(labels).sort())}`;
    if (seen.has(key)) throw new Error(`${key} comes twice`);
    seen.add(key);
    samples.push({
      name: name!,
      labels,
      value: number === '+Inf' ? Number.POSITIVE_INFINITY : Number(number),
    });
  }
  return samples;
}

function readLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  LABEL.lastIndex = 0;
  for (let at = 0; at < text.length; at = LABEL.lastIndex) {
    const match = LABEL.exec(text);
    if (!match) throw new Error(`not labels: ${text}`);
    labels[match[1]!] = match[2]!.replace(/\\(.)/g, (_, c) => (c === 'n' ? '\n' : c));
  }
  return labels;
}

/** The value of one sample; undefined when there is none. */
export function sampleValue(
  samples: Sample[],
  name: string,
  labels: Record<string, string> = {},
): number | undefined {
  return samples.find(
    (sample) =>
      sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value),
  )?.value;
}
