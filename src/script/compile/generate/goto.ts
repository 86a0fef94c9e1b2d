/** `goto` as JavaScript's labelled blocks and loops: which statements of a block each label needs wrapped. */

import type { Block, Statement } from '../syntax/ast.js';
import { SyntaxProblem } from '../syntax/problem.js';

/** Statements `start`…`end - 1` of a block. A jump ends a block (the label is behind it) or repeats a loop. */
export interface Region {
  readonly label: string;
  start: number;
  readonly end: number;
  readonly isLoop: boolean;
}

/** The regions of a block's labels, outer before inner. Throws SyntaxProblem where they overlap otherwise. */
export function regionsOf(block: Block, chunk: string): Region[] {
  const regions: Region[] = [];
  block.forEach((statement, at) => {
    if (statement.kind !== 'label') return;
    const { name, line } = statement;
    if (block.findIndex((other) => other.kind === 'label' && other.name === name) < at) {
      throw new SyntaxProblem(`${chunk}:${line}: label '${name}' already defined`);
    }
    const users = block.flatMap((other, i) => (jumpsTo(other, name) ? [i] : []));
    const first = users[0];
    if (first !== undefined && first < at) {
      const isLast = block.slice(at).every(({ kind }) => kind === 'label');
      const skipped = block.slice(first, at).find(({ kind }) => kind === 'local' || kind === 'localfunction');
      if (skipped && !isLast) {
        throw new SyntaxProblem(`${chunk}:${skipped.line}: <goto ${name}> jumps into the scope of a local`);
      }
      regions.push({ label: name, start: first, end: at, isLoop: false });
    }
    if ((users.at(-1) ?? -1) > at) regions.push({ label: name, start: at, end: block.length, isLoop: true });
  });
  for (const region of regions) {
    for (const other of regions) {
      // A block may begin earlier than it must.
      if (!other.isLoop && region.start < other.start && other.start < region.end && region.end < other.end) {
        other.start = region.start;
      }
    }
  }
  regions.sort((a, b) => a.start - b.start || b.end - a.end);
  regions.forEach((a, i) => {
    for (const b of regions.slice(i + 1)) {
      if (b.start < a.end && a.end < b.end) {
        throw new SyntaxProblem(
          `${chunk}: goto ${a.label} and goto ${b.label} cross each other: not compiled`,
        );
      }
    }
  });
  return regions;
}

/** Whether a statement holds a jump to that label of the block around it. */
function jumpsTo(statement: Statement, label: string): boolean {
  const inside = (block: Block): boolean =>
    !block.some((s) => s.kind === 'label' && s.name === label) && block.some((s) => jumpsTo(s, label));
  switch (statement.kind) {
    case 'goto':
      return statement.name === label;
    case 'if':
      return statement.branches.some((b) => inside(b.block)) || inside(statement.otherwise ?? []);
    case 'do':
    case 'while':
    case 'repeat':
    case 'fornum':
    case 'forin':
      return inside(statement.block);
    default:
      return false;
  }
}
