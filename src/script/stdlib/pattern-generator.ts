/**
 * Patterns as JavaScript: one function a pattern, loops for its quantifiers, steps counted as the matcher counts them. For
 * executors that generate code anyway. No text of a script gets into the code: it is made of numbers only.
 */

import { LuaError } from '../executor.js';
import type { CharacterClass } from './character-class.js';
import { balancedEnd, CHARGE_EVERY, NO_MATCH, POSITION, UNFINISHED } from './pattern.js';
import { Op, type Pattern, type PatternNode, type Search } from './pattern-compiler.js';

/** Patterns of more nodes than this, or with longer texts, are left to the matcher: their code would nest too deep. */
const MAX_NODES = 40;
const MAX_TEXT = 64;
/** A set of more ranges than this is looked up in its table. */
const MAX_RANGES = 3;

/** The function for a pattern; undefined where it has too many nodes. Throws EvalError where the host forbids code. */
export function generateSearch(pattern: Pattern): Search | undefined {
  const { nodes } = pattern;
  if (nodes.length > MAX_NODES || nodes.some((node) => node.text.length > MAX_TEXT)) return undefined;
  const generator = new Generator(pattern);
  const code = generator.code();
  const make = new Function('T', 'same', 'balanced', 'raise', `"use strict";return ${code};`);
  const raise = (i: number): never => {
    throw new LuaError(nodes[i]!.text);
  };
  return make(generator.tables, same, balancedEnd, raise) as Search;
}

/** Whether `text` holds at `at` what it holds from `from` to `to`. */
function same(text: string, at: number, from: number, to: number): boolean {
  if (at + to - from > text.length) return false;
  for (let i = from; i < to; i++) if (text.charCodeAt(at + i - from) !== text.charCodeAt(i)) return false;
  return true;
}

/**
 * In the code: `x` executor, `t` subject, `z` its length, `b` where the match begins, `o` the spans, `n` steps that are
 * not charged yet, `c` a byte; `s0`… and `e0`… captures, `p0`… where each node begins.
 */
class Generator {
  readonly tables: CharacterClass[] = [];

  constructor(private readonly pattern: Pattern) {}

  code(): string {
    const { anchored, captures, nodes } = this.pattern;
    const declared = Array.from({ length: captures }, (_, i) => `,s${i}=0,e${i}=${UNFINISHED}`).join('');
    const first = nodes[0]?.first;
    const skip =
      first && !anchored
        ? `const f=b;while(b<z&&!${this.holds(first, 't.charCodeAt(b)')})b++;n+=(b-f)>>3;if(b>=z)break;`
        : '';
    return `function(x,t,b,o){const z=t.length;let n=0,c=0${declared};
for(;b<=z;b++){${skip}${STEP}const p0=b;${this.from(0)}${anchored ? 'break;' : ''}}
x.charge(n);return ${NO_MATCH};}`;
  }

  /** The nodes from `i` on, which begin at `p<i>`: returns from the function when they match, else goes on behind. */
  private from(i: number): string {
    const node = this.pattern.nodes[i]!;
    const at = `p${i}`;
    const next = `p${i + 1}`;
    const rest = (begin: string) => `const ${next}=${begin};${this.from(i + 1)}`;
    const holds = (where: string) => this.holds(node.set, `t.charCodeAt(${where})`);
    switch (node.op) {
      case Op.End:
        return `o[0]=b;o[1]=${at};${this.spans()}x.charge(n);return ${at};`;
      case Op.Raise:
        return `raise(${i});`;
      case Op.Text: {
        const bytes = [...node.text].map((byte, k) => `&&t.charCodeAt(${at}+${k})===${byte.charCodeAt(0)}`);
        return `if(${at}+${node.text.length}<=z${bytes.join('')}){${rest(`${at}+${node.text.length}`)}}`;
      }
      case Op.Set:
        return `if(${at}<z&&${holds(at)}){${rest(`${at}+1`)}}`;
      case Op.Star:
      case Op.Plus:
        return this.greedy(node, i);
      case Op.Optional: {
        const q = `q${i}`;
        return `for(let ${q}=${at}<z&&${holds(at)}?${at}+1:${at};${q}>=${at};${q}--){${STEP}${rest(q)}}`;
      }
      case Op.Lazy: {
        const q = `q${i}`;
        return `for(let ${q}=${at};;${q}++){${STEP}${rest(q)}if(${q}>=z||!${holds(q)})break;}`;
      }
      case Op.Open:
        return `s${node.index}=${at};${rest(at)}`;
      case Op.Position:
        return `s${node.index}=${at};e${node.index}=${POSITION};${rest(at)}`;
      case Op.Close:
        return `e${node.index}=${at};${rest(at)}`;
      case Op.Back: {
        const [s, e] = [`s${node.index}`, `e${node.index}`];
        return `n+=(${e}-${s})>>3;if(same(t,${at},${s},${e})){${rest(`${at}+${e}-${s}`)}}`;
      }
      case Op.Balanced: {
        const [open, close] = [node.text.charCodeAt(0), node.text.charCodeAt(1)];
        const q = `q${i}`;
        return `const ${q}=balanced(t,${at},${open},${close});n+=((${q}<0?z:${q})-${at})>>3;if(${q}>=0){${rest(q)}}`;
      }
      case Op.Frontier: {
        const before = this.holds(node.set, `(${at}===0?0:t.charCodeAt(${at}-1))`);
        const here = this.holds(node.set, `(${at}===z?0:t.charCodeAt(${at}))`);
        return `if(!${before}&&${here}){${rest(at)}}`;
      }
      case Op.Tail:
        return `if(${at}===z){${rest(at)}}`;
    }
  }

  /** `*` and `+`. Nothing is given back where what follows begins with no byte of the set. */
  private greedy({ op, set }: PatternNode, i: number): string {
    const q = `q${i}`;
    const least = op === Op.Plus ? `p${i}+1` : `p${i}`;
    const take = `let ${q}=p${i};while(${q}<z&&${this.holds(set, `t.charCodeAt(${q})`)})${q}++;n+=(${q}-p${i})>>3;`;
    const rest = `const p${i + 1}=${q};${this.from(i + 1)}`;
    const first = this.pattern.nodes[i + 1]!.first;
    const isSure = first?.every((member, byte) => member === 0 || set[byte] === 0);
    return isSure
      ? `${take}if(${q}>=${least}){${rest}}`
      : `${take}for(;${q}>=${least};${q}--){${STEP}${rest}}`;
  }

  /** Whether a byte belongs to a set, in parentheses. */
  private holds(set: CharacterClass, byte: string): string {
    const ranges = rangesOf(set, 1);
    if (ranges.length === 0) return '(false)';
    if (ranges.length <= MAX_RANGES) return `(${inRanges(ranges, byte)})`;
    const gaps = rangesOf(set, 0);
    if (gaps.length <= MAX_RANGES) return `(!(${inRanges(gaps, byte)}))`;
    let table = this.tables.indexOf(set);
    if (table < 0) table = this.tables.push(set) - 1;
    return `(T[${table}][${byte}]===1)`;
  }

  private spans(): string {
    return Array.from(
      { length: this.pattern.captures },
      (_, i) => `o[${2 * i + 2}]=s${i};o[${2 * i + 3}]=e${i};`,
    ).join('');
  }
}

const STEP = `if(++n>=${CHARGE_EVERY}){x.charge(n);n=0;}`;

type Range = readonly [from: number, to: number];

/** The runs of bytes whose entry is `member`. */
function rangesOf(set: CharacterClass, member: number): Range[] {
  const ranges: Range[] = [];
  for (let from = 0; from < 256; from++) {
    if (set[from] !== member) continue;
    let to = from;
    while (to < 255 && set[to + 1] === member) to++;
    ranges.push([from, to]);
    from = to;
  }
  return ranges;
}

/** Reads the byte once. */
function inRanges(ranges: readonly Range[], byte: string): string {
  const text =
    (name: string) =>
    ([from, to]: Range): string =>
      from === to ? `${name}===${from}` : `${name}>=${from}&&c<=${to}`;
  const [head, ...tail] = ranges;
  return [text(`(c=${byte})`)(head!), ...tail.map(text('c'))].join('||');
}
