/** `moonwire outbox`: the reports that an engine keeps until they are taken. */

import { type ApiClient, isMap } from './api-client.js';
import type { ApiOptions } from './api-commands.js';
import { EXIT } from './exit.js';
import { print, printJson } from './output.js';
import { printable, shortDuration, shortNumber } from './table.js';

type Row = Record<string, unknown>;

/** Prints a few lines; returns the exit code. */
export async function outbox(client: ApiClient, { json }: ApiOptions): Promise<number> {
  const status: Row = await client.get('/v1/outbox');
  if (json) printJson(status);
  else print(describe(status).map(printable).join('\n'));
  return EXIT.done;
}

function describe(status: Row): string[] {
  const number = (key: string): number => Number(status[key] ?? 0);
  const dropped = sum(status.dropped);
  const refused = sum(status.refused);
  const holds = status.holds_seconds;
  const lines = [
    [
      typeof holds === 'number'
        ? `Holds ${shortDuration(holds)} at today's rate`
        : 'Nothing was reported yet',
      `${dropped} dropped`,
      ...(refused > 0 ? [`${refused} refused`] : []),
      ...(number('records') > 0 ? [`oldest ${clockTime(status.oldest)}`] : []),
    ].join(', '),
    `${number('records')} reports wait, ${number('memory_records')} of them in memory only`,
    `${size(number('bytes'))} of ${size(number('max_bytes'))} on disk; ${shortNumber(number('rate_per_second'))} reports a second`,
    `${size(number('written_bytes_per_day'))} a day written to disk`,
    status.connected === true ? 'reports are taken' : 'nobody takes reports now',
  ];
  if (status.clock !== 'set') lines.push(`the clock is ${String(status.clock)}`);
  if (number('damaged_parts') > 0) {
    lines.push(`${number('damaged_parts')} damaged parts, ${size(number('damaged_bytes'))}`);
  }
  if (typeof status.error === 'string') lines.push(status.error);
  return lines;
}

function sum(counts: unknown): number {
  return isMap(counts) ? Object.values(counts).reduce<number>((total, count) => total + Number(count), 0) : 0;
}

/** The local time of day, with the day when it is not today. */
function clockTime(seconds: unknown): string {
  if (typeof seconds !== 'number') return 'unknown';
  const at = new Date(seconds * 1000);
  const [day, time] = [at.toLocaleDateString('sv'), at.toLocaleTimeString('sv').slice(0, 5)];
  return day === new Date().toLocaleDateString('sv') ? time : `${day} ${time}`;
}

function size(bytes: number): string {
  for (const [unit, scale] of [
    ['GiB', 2 ** 30],
    ['MiB', 2 ** 20],
    ['KiB', 2 ** 10],
  ] as const) {
    if (bytes >= scale) return `${(bytes / scale).toFixed(1)} ${unit}`;
  }
  return `${Math.round(bytes)} B`;
}
