/**
 * Matches compiled Lua patterns by backtracking, as Lua 5.3's `lstrlib.c` does, but counting every step: a
 * pattern can take time that grows with a high power of its subject's length, and the callback's budget must
 * end it. Positions in here are 0-based offsets into the subject.
 */

import { type Executor, LuaError, type LuaValue } from '../executor.js';
import { Op, type Pattern, type PatternNode } from './pattern-compiler.js';

/** Deepest recursion of one match (MAXCCALLS of lstrlib.c). */
const MAX_DEPTH = 200;
/** Steps that are counted together. */
export const CHARGE_EVERY = 256;
/** Stands for the end of a capture that is a position. */
export const POSITION = -1;
/** Stands for the end of a capture that is not closed. */
export const UNFINISHED = -2;
/** No match. */
export const NO_MATCH = -1;

/** Matches one pattern against one subject; holds the last match and its captures. */
export class Matcher {
  private readonly nodes: readonly PatternNode[];
  /** Start and end of the match, then of each capture. */
  private readonly spans: number[] = [0, 0];
  private readonly size: number;
  private steps = 0;
  private depth = 0;

  constructor(
    private readonly ex: Executor,
    private readonly pattern: Pattern,
    private readonly subject: string,
  ) {
    this.nodes = pattern.nodes;
    this.size = subject.length;
    for (let i = 0; i < pattern.captures; i++) this.spans.push(0, UNFINISHED);
  }

  /** Finds the first match that begins at `from` or later (only there when the pattern is anchored). */
  find(from: number): boolean {
    const { pattern, spans } = this;
    if (pattern.search !== undefined) return pattern.search(this.ex, this.subject, from, spans) !== NO_MATCH;
    let to = NO_MATCH;
    let start = from;
    for (; start <= this.size; start++) {
      if (!pattern.anchored) start = this.candidate(start);
      this.depth = 0;
      to = this.match(start, 0);
      if (to !== NO_MATCH || pattern.anchored) break;
    }
    this.settle();
    spans[0] = start;
    spans[1] = to;
    return to !== NO_MATCH;
  }

  /** Where the match begins. */
  get start(): number {
    return this.spans[0]!;
  }

  /** Where it ends: the offset behind its last byte. */
  get end(): number {
    return this.spans[1]!;
  }

  /** The first offset from `from` on where a match may begin; the subject's end when the rest cannot match. */
  private candidate(from: number): number {
    const first = this.nodes[0]?.first;
    if (!first) return from;
    let at = from;
    while (at < this.size && first[this.subject.charCodeAt(at)] === 0) at++;
    this.count((at - from) >> 3);
    return at;
  }

  /** Charges the steps that are not yet charged. */
  private settle(): void {
    if (this.steps > 0) this.ex.charge(this.steps);
    this.steps = 0;
  }

  /** The text of the match. */
  whole(): string {
    return this.subject.slice(this.start, this.end);
  }

  /** Capture `index` (from 0); without captures, index 0 is the whole match. */
  capture(index: number): string | number {
    if (index >= this.pattern.captures) {
      if (index === 0) return this.whole();
      throw new LuaError(`invalid capture index %${index + 1}`);
    }
    const start = this.spans[2 * index + 2]!;
    const end = this.spans[2 * index + 3]!;
    if (end === UNFINISHED) throw new LuaError('unfinished capture');
    return end === POSITION ? start + 1 : this.subject.slice(start, end);
  }

  /** All captures, the whole match when there are none: a value, or several as an array. */
  captures(): LuaValue | LuaValue[] {
    return this.pattern.captures <= 1 ? this.capture(0) : this.append([]);
  }

  /** Appends the captures to `results`. */
  append(results: LuaValue[]): LuaValue[] {
    for (let i = 0; i < this.pattern.captures; i++) results.push(this.capture(i));
    return results;
  }

  /** Counts work done for this search. */
  count(steps: number): void {
    this.steps += steps;
    if (this.steps >= CHARGE_EVERY) this.settle();
  }

  private match(from: number, first: number): number {
    if (++this.depth > MAX_DEPTH) throw new LuaError('pattern too complex');
    const end = this.run(from, first);
    this.depth--;
    return end;
  }

  /** Walks the nodes from `index` on as long as there is no choice to make. */
  private run(from: number, index: number): number {
    const { nodes, subject, size } = this;
    let s = from;
    for (let i = index; ; i++) {
      this.count(1);
      const node = nodes[i]!;
      switch (node.op) {
        case Op.End:
          return s;
        case Op.Text:
          if (!this.textAt(s, node.text)) return NO_MATCH;
          s += node.text.length;
          break;
        case Op.Set:
          if (s >= size || node.set[subject.charCodeAt(s)] === 0) return NO_MATCH;
          s++;
          break;
        case Op.Star:
          return this.expand(s, i, 0);
        case Op.Plus:
          return this.expand(s, i, 1);
        case Op.Lazy:
          return this.expandLazily(s, i);
        case Op.Optional:
          if (s < size && node.set[subject.charCodeAt(s)] === 1) {
            const end = this.match(s + 1, i + 1);
            if (end !== NO_MATCH) return end;
          }
          break;
        case Op.Open:
          this.spans[2 * node.index + 2] = s;
          return this.match(s, i + 1);
        case Op.Position:
          this.spans[2 * node.index + 2] = s;
          this.spans[2 * node.index + 3] = POSITION;
          return this.match(s, i + 1);
        case Op.Close:
          this.spans[2 * node.index + 3] = s;
          return this.match(s, i + 1);
        case Op.Back: {
          const text = subject.slice(this.spans[2 * node.index + 2], this.spans[2 * node.index + 3]);
          if (!this.textAt(s, text)) return NO_MATCH;
          s += text.length;
          break;
        }
        case Op.Balanced:
          s = this.balanced(s, node.text);
          if (s === NO_MATCH) return NO_MATCH;
          break;
        case Op.Frontier: {
          const before = s === 0 ? 0 : subject.charCodeAt(s - 1);
          const here = s === size ? 0 : subject.charCodeAt(s);
          if (node.set[before] === 1 || node.set[here] === 0) return NO_MATCH;
          break;
        }
        case Op.Tail:
          return s === size ? s : NO_MATCH;
        case Op.Raise:
          throw new LuaError(node.text);
      }
    }
  }

  private textAt(at: number, text: string): boolean {
    const length = text.length;
    if (at + length > this.size) return false;
    let i = 0;
    while (i < length && this.subject.charCodeAt(at + i) === text.charCodeAt(i)) i++;
    this.count(i >> 3);
    return i === length;
  }

  /** `*` and `+`: takes all it can, then gives back one by one until what follows matches. */
  private expand(from: number, index: number, least: number): number {
    const { subject, size } = this;
    const { set } = this.nodes[index]!;
    let s = from;
    while (s < size && set[subject.charCodeAt(s)] === 1) s++;
    this.count((s - from) >> 3);

    const { first } = this.nodes[index + 1]!;
    for (; s >= from + least; s--) {
      if (first && (s >= size || first[subject.charCodeAt(s)] === 0)) {
        this.count(1);
        continue;
      }
      const end = this.match(s, index + 1);
      if (end !== NO_MATCH) return end;
    }
    return NO_MATCH;
  }

  /** `-`: takes one more each time what follows does not match. */
  private expandLazily(from: number, index: number): number {
    const { subject, size } = this;
    const { set } = this.nodes[index]!;
    const { first } = this.nodes[index + 1]!;
    for (let s = from; ; s++) {
      if (!first || (s < size && first[subject.charCodeAt(s)] === 1)) {
        const end = this.match(s, index + 1);
        if (end !== NO_MATCH) return end;
      } else {
        this.count(1);
      }
      if (s >= size || set[subject.charCodeAt(s)] === 0) return NO_MATCH;
    }
  }

  private balanced(from: number, pair: string): number {
    const end = balancedEnd(this.subject, from, pair.charCodeAt(0), pair.charCodeAt(1));
    this.count(((end === NO_MATCH ? this.size : end) - from) >> 3);
    return end;
  }
}

/** The offset behind the byte that closes what opens at `from`, or -1. */
export function balancedEnd(text: string, from: number, opening: number, closing: number): number {
  if (from >= text.length || text.charCodeAt(from) !== opening) return NO_MATCH;
  let open = 1;
  for (let at = from + 1; at < text.length; at++) {
    const byte = text.charCodeAt(at);
    if (byte === closing) {
      if (--open === 0) return at + 1;
    } else if (byte === opening) open++;
  }
  return NO_MATCH;
}
