/**
 * What is wrong with a configuration file: every problem with its place, all of them in one error.
 */

import { MoonwireError } from '../errors.js';

/** One thing that is wrong, or worth telling. */
export interface Problem {
  /** The line in the file, from 1; 0 for what a program gave. */
  readonly line: number;
  /** The column in that line, from 1; 0 likewise. */
  readonly column: number;
  /** The setting, as `engine.servers[0].port`; empty when it is the file as a whole. */
  readonly path: string;
  /** What is wrong and what is allowed; continues the sentence that begins with the path. */
  readonly message: string;
  /** What to try. */
  readonly hint?: string;
}

/** A configuration that cannot be used; carries all of its problems, in the order of the file. */
export class ConfigError extends MoonwireError {
  constructor(
    readonly file: string,
    readonly problems: readonly Problem[],
  ) {
    super('invalid_argument', describeProblems(problems, file).join('\n'), file);
  }
}

/**
 * One printable line for each problem:
 * `configs/x.yaml:12:5 engine.servers[0].port: must be a whole number from 0 to 65535, got 70000`.
 */
export function describeProblems(problems: readonly Problem[], file: string): string[] {
  return problems.map(({ line, column, path, message, hint }) => {
    const subject = path === '' ? '' : `${path}: `;
    const advice = hint === undefined ? '' : ` (${hint})`;
    const place = line === 0 ? `${file}:` : `${file}:${line}:${column}`;
    return `${place} ${subject}${message}${advice}`;
  });
}

/** One step into the tree: the key of a map or the index of a list, from 0. */
export type Step = string | number;

/** Takes a problem or notice about a setting. */
export type Report = (steps: readonly Step[], message: string, hint?: string) => void;

/** The steps as they are written in a problem: `engine.servers[0].port`; unusual keys are quoted. */
export function formatPath(steps: readonly Step[]): string {
  let path = '';
  for (const step of steps) {
    if (typeof step === 'number') path += `[${step}]`;
    else if (!/^[\w-]{1,64}$/.test(step)) path += `[${JSON.stringify(shorten(step))}]`;
    else path += path === '' ? step : `.${step}`;
  }
  return path;
}

/** A value as it is shown in a message: short, on one line, never a whole map. */
export function show(value: unknown): string {
  if (value === undefined || value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a map';
  return typeof value === 'string' ? JSON.stringify(shorten(value)) : String(value);
}

function shorten(text: string): string {
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/**
 * The known word that an unknown one was probably meant to be: at most two edits away (one for short words);
 * undefined when none is near.
 */
export function suggest(word: string, known: readonly string[]): string | undefined {
  if (word.length > 64) return undefined;
  const allowed = word.length < 5 ? 1 : 2;
  let best: string | undefined;
  let least = allowed + 1;
  for (const candidate of known) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < least) [best, least] = [candidate, distance];
  }
  return best;
}

/** Edits between two words: insertions, removals, replacements and swaps of neighbours. */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row[j] = Math.min(replaced, previous[j]! + 1, row[j - 1]! + 1);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        row[j] = Math.min(row[j]!, before[j - 2]! + 1);
      }
    }
    [before, previous] = [previous, row];
  }
  return previous[b.length]!;
}
