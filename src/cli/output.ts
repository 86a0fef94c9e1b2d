/** Writes what commands find out to standard output, and takes answers apart. */

import { isMap } from './api-client.js';
import { printable, shortDuration } from './table.js';

/** Lines for people. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** One line for machines. */
export function printJson(value: unknown): void {
  print(JSON.stringify(value));
}

/** Something worth knowing that is no result. */
export function remark(text: string): void {
  process.stderr.write(`moonwire: ${printable(text)}\n`);
}

/** A list of maps; what is none is left out. */
export function rowsOf(value: unknown): Record<string, unknown>[] {
  return Array.isArray(value) ? value.filter(isMap) : [];
}

/** A value of an answer as a cell shows it: plain text as it is, nothing for what is not there. */
export function textOf(value: unknown): string {
  if (value === undefined || value === null) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** How long ago a time in Unix seconds was, for a cell; nothing for what is no time. */
export function ago(at: unknown): string {
  return typeof at === 'number' ? shortDuration(Math.max(0, Date.now() / 1000 - at)) : '';
}

/** What a map holds, for a cell: each name and its value, joined by `sign`; nothing for what is no map. */
export function pairs(map: unknown, sign: string): string {
  const list = isMap(map) ? Object.entries(map) : [];
  return list.map(([name, value]) => `${name}${sign}${textOf(value)}`).join(' ');
}
