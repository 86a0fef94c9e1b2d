/** Writes what commands find out to standard output, and takes answers apart. */

import { isMap } from './api-client.js';
import { printable } from './table.js';

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
