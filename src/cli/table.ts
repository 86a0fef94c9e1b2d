/** Tables for terminals. */

/** A column: its heading, what a row has there, and whether that is a number. */
export interface Column<R> {
  readonly heading: string;
  readonly right?: true;
  cell(row: R): string;
}

/** Widest cell; what is longer is cut. */
const MAX_WIDTH = 60;

/** The lines of a table, with a heading; columns are as wide as what they hold. */
export function table<R>(columns: readonly Column<R>[], rows: readonly R[]): string {
  const cells = rows.map((row) => columns.map((column) => cut(printable(column.cell(row)))));
  const all = [columns.map(({ heading }) => heading), ...cells];
  const widths = columns.map((_, i) => Math.max(...all.map((line) => line[i]!.length)));
  return all
    .map((line) =>
      line
        .map((cell, i) => (columns[i]!.right ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** Text on one line without control characters, which a device could put into a terminal. */
export function printable(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (c) => `\\u${c.codePointAt(0)!.toString(16).padStart(4, '0')}`,
  );
}

function cut(text: string): string {
  return text.length > MAX_WIDTH ? `${text.slice(0, MAX_WIDTH - 1)}…` : text;
}

/** Whole seconds as `45s`, `12m`, `5h`, `3d`: the largest unit of which there are two, or seconds. */
export function shortDuration(seconds: number): string {
  for (const [unit, size] of [
    ['d', 86_400],
    ['h', 3600],
    ['m', 60],
  ] as const) {
    if (seconds >= 2 * size) return `${Math.floor(seconds / size)}${unit}`;
  }
  return `${Math.floor(seconds)}s`;
}

/** A number with three digits or so: `0`, `3.4`, `120`, `12.3k`, `4.5M`. */
export function shortNumber(value: number): string {
  for (const [unit, size] of [
    ['G', 1e9],
    ['M', 1e6],
    ['k', 1e3],
  ] as const) {
    if (value >= 10 * size || (unit !== 'k' && value >= size)) return `${(value / size).toFixed(1)}${unit}`;
  }
  return Number.isInteger(value) || value >= 100 ? String(Math.round(value)) : value.toFixed(1);
}
