/** Durations as Go writes them, which is what CONNMIX takes for the timeout of a request. */

const SECONDS: Readonly<Record<string, number>> = {
  ns: 1e-9,
  us: 1e-6,
  µs: 1e-6,
  ms: 1e-3,
  s: 1,
  m: 60,
  h: 3600,
};
const PART = '(\\d+(?:\\.\\d*)?|\\.\\d+)(ns|us|µs|ms|s|m|h)';
const WHOLE = new RegExp(`^(?:${PART})+$`);

/** Seconds of `500ms`, `1.5s`, `1m30s`, `1h`; undefined for anything else. */
export function parseGoDuration(text: string): number | undefined {
  if (text.length > 64 || !WHOLE.test(text)) return undefined;
  let seconds = 0;
  for (const [, number, unit] of text.matchAll(new RegExp(PART, 'g'))) {
    seconds += Number(number) * SECONDS[unit!]!;
  }
  return seconds;
}
