/** Random Lua patterns, with mistakes and oddities among them, and subjects that they often match. */

import type { Random } from './random.js';

export function word(r: Random, alphabet: string, most: number): string {
  return Array.from({ length: r.below(most + 1) }, () => r.pick([...alphabet])).join('');
}

export function pattern(r: Random): string {
  const pieces = [
    ...[
      'a',
      'b',
      'c',
      '.',
      '%a',
      '%d',
      '%s',
      '%w',
      '%W',
      '%p',
      '%x',
      '%u',
      '%l',
      '%.',
      '%%',
      '-',
      '\0',
      '%z',
    ],
    ...[
      '[ab]',
      '[^ab]',
      '[a-c]',
      '[]a]',
      '[^]]',
      '[%d_]',
      '[a-]',
      '[-a]',
      '[%]x]',
      '[%a-c]',
      '[^%s]',
      '[+--]',
    ],
    ...['%b()', '%bab', '%f[%w]', '%f[^a]', '%1', '%2', '(', ')', '()', '(a*)', '(.-)', '(%w+)', '$', '^'],
    ...['%', '[a', '[', '%b', '%f', '%bx', '%0', ']', 'é'],
  ];
  const suffixes = ['', '', '', '*', '+', '-', '?'];
  // The last row is mistakes and oddities: seldom chosen, so that most patterns get further than their start.
  const piece = () => (r.below(12) === 0 ? r.pick(pieces) : r.pick(pieces.slice(0, -9)));
  const body = Array.from({ length: 1 + r.below(6) }, () => piece() + r.pick(suffixes)).join('');
  return (r.below(6) === 0 ? '^' : '') + body + (r.below(6) === 0 ? '$' : '');
}

/** The letters of subjects. */
export const SUBJECT = 'aabbc 1_.()\0-é%';
