/**
 * Durations and sizes as people write them (design §9 "Times"): `90`, `5s`, `1h30m`, `64KiB`.
 */

const SECONDS = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86_400 } as const;
const BYTES = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 } as const;

/** Seconds of a duration: a number, or numbers with `ms s m h d` joined (`1h30m`); undefined when it is neither. */
export function parseDuration(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) && value >= 0 ? value : undefined;
  if (typeof value !== 'string' || value.length > 64) return undefined;
  const text = value.trim();
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text);
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(text)) return undefined;
  let seconds = 0;
  for (const [, number, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)) {
    seconds += Number(number) * SECONDS[unit as keyof typeof SECONDS];
  }
  return seconds;
}

/** Bytes of a size: a whole number, or one number with `B KiB MiB GiB TiB`; undefined when it is neither. */
export function parseSize(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) && value >= 0 ? value : undefined;
  if (typeof value !== 'string' || value.length > 64) return undefined;
  const match = /^(\d+(?:\.\d+)?) ?(B|KiB|MiB|GiB|TiB)?$/.exec(value.trim());
  if (!match) return undefined;
  const bytes = Number(match[1]) * BYTES[(match[2] ?? 'B') as keyof typeof BYTES];
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** Seconds in the largest unit that divides them: 604800 is `7d`. */
export function formatDuration(seconds: number): string {
  if (seconds === 0) return '0s';
  for (const unit of ['d', 'h', 'm', 's'] as const) {
    if (seconds % SECONDS[unit] === 0) return `${seconds / SECONDS[unit]}${unit}`;
  }
  return `${Math.round(seconds * 1000)}ms`;
}

/** Bytes in the largest unit that divides them: 65536 is `64KiB`. */
export function formatSize(bytes: number): string {
  for (const unit of ['TiB', 'GiB', 'MiB', 'KiB'] as const) {
    if (bytes !== 0 && bytes % BYTES[unit] === 0) return `${bytes / BYTES[unit]}${unit}`;
  }
  return `${bytes}B`;
}
