/**
 * Compiles Lua patterns (Lua 5.3 manual, §6.4.1) into a flat list of nodes that the matcher walks.
 *
 * A pattern has no alternatives, so its captures open and close at fixed places and are numbered here. Lua finds
 * mistakes in a pattern only when matching arrives at them; so does this: a mistake becomes a node that raises.
 */

import { type Executor, LuaError } from '../executor.js';
import { ANY, type CharacterClass, classOf, namedClass } from './character-class.js';

/** What a node matches. */
export enum Op {
  /** The end of the pattern. */
  End,
  /** Raises `text`. */
  Raise,
  /** The literal bytes of `text`. */
  Text,
  /** One byte of `set`. */
  Set,
  /** `set?` */
  Optional,
  /** `set*`: as many as possible. */
  Star,
  /** `set+` */
  Plus,
  /** `set-`: as few as possible. */
  Lazy,
  /** "(": capture `index` begins. */
  Open,
  /** ")": capture `index` ends. */
  Close,
  /** "()": capture `index` is the position. */
  Position,
  /** `%1`: the text of capture `index` again. */
  Back,
  /** `%bxy`: balanced, the two bytes in `text`. */
  Balanced,
  /** `%f[set]`: from a byte outside `set` (or the start) to one inside. */
  Frontier,
  /** "$" at the end of the pattern: the end of the subject. */
  Tail,
}

/** One step of a pattern. */
export interface PatternNode {
  readonly op: Op;
  readonly set: CharacterClass;
  text: string;
  readonly index: number;
  /** The bytes that what follows from here on can begin with; undefined when it may match nothing. */
  first: CharacterClass | undefined;
}

/**
 * Finds the first match that begins at `from` or later (only there when the pattern is anchored). Returns the offset
 * behind it, and sets `spans`: the match's start and end, then those of the captures. Returns -1 when there is none.
 */
export type Search = (ex: Executor, subject: string, from: number, spans: number[]) => number;

/** A compiled pattern. */
export interface Pattern {
  readonly nodes: readonly PatternNode[];
  /** Starts with "^" (where the function gives that a meaning). */
  readonly anchored: boolean;
  /** Number of captures. */
  readonly captures: number;
  /** The function made of it, where there is one. */
  search: Search | undefined;
  /** How often it was used before. */
  uses: number;
}

/** Most captures of a pattern (LUA_MAXCAPTURES). */
const MAX_CAPTURES = 32;
/** Longest pattern in bytes; Lua has no limit, but each byte may cost a node. */
const MAX_PATTERN = 32 * 1024;

const NONE: CharacterClass = classOf(() => false);
const SPECIALS = /[\^$*+?.([%-]/;

const ESCAPE = 0x25;
const CARET = 0x5e;
const MINUS = 0x2d;
const CLOSE_BRACKET = 0x5d;

/** Whether a pattern is plain text, which the functions then search as it is. */
export function isPlain(pattern: string): boolean {
  return !SPECIALS.test(pattern);
}

/** Compiles a pattern; a leading "^" anchors it when `anchorable` (not in `gmatch`, where it is a character). */
export function compilePattern(source: string, anchorable: boolean): Pattern {
  if (source.length > MAX_PATTERN) throw new LuaError(`pattern too long (more than ${MAX_PATTERN} bytes)`);
  return new Compiler(source, anchorable).compile();
}

class Compiler {
  private readonly nodes: PatternNode[] = [];
  private readonly open: number[] = [];
  private readonly positions = new Set<number>();
  private captures = 0;
  private at = 0;

  constructor(
    private readonly source: string,
    private readonly anchorable: boolean,
  ) {}

  compile(): Pattern {
    const anchored = this.anchorable && this.source.charCodeAt(0) === CARET;
    if (anchored) this.at = 1;
    try {
      while (this.at < this.source.length) this.append(this.item());
      this.append(newNode(Op.End));
    } catch (error) {
      if (!(error instanceof LuaError)) throw error;
      this.append(newNode(Op.Raise, { text: error.message }));
    }
    this.computeFirst();
    return { nodes: this.nodes, anchored, captures: this.captures, search: undefined, uses: 0 };
  }

  /** Adds a node; literal characters that follow each other become one. */
  private append(node: PatternNode): void {
    const last = this.nodes[this.nodes.length - 1];
    if (node.op === Op.Text && last?.op === Op.Text) last.text += node.text;
    else this.nodes.push(node);
  }

  private item(): PatternNode {
    const { source, at } = this;
    switch (source[at]) {
      case '(':
        return this.openCapture();
      case ')':
        return this.closeCapture();
      case '$':
        if (at + 1 < source.length) return this.single();
        this.at++;
        return newNode(Op.Tail);
      case '%':
        return this.escaped(source[at + 1] ?? '');
      default:
        return this.single();
    }
  }

  private openCapture(): PatternNode {
    if (this.captures >= MAX_CAPTURES) throw new LuaError('too many captures');
    const index = this.captures++;
    if (this.source[this.at + 1] === ')') {
      this.at += 2;
      this.positions.add(index);
      return newNode(Op.Position, { index });
    }
    this.at++;
    this.open.push(index);
    return newNode(Op.Open, { index });
  }

  private closeCapture(): PatternNode {
    const index = this.open.pop();
    if (index === undefined) throw new LuaError('invalid pattern capture');
    this.at++;
    return newNode(Op.Close, { index });
  }

  private escaped(letter: string): PatternNode {
    const { source, at } = this;
    if (letter === 'b') {
      if (at + 3 >= source.length) throw new LuaError("malformed pattern (missing arguments to '%b')");
      this.at += 4;
      return newNode(Op.Balanced, { text: source.slice(at + 2, at + 4) });
    }
    if (letter === 'f') {
      this.at += 2;
      if (source[this.at] !== '[') throw new LuaError("missing '[' after '%f' in pattern");
      return newNode(Op.Frontier, { set: this.bracket() });
    }
    if (letter >= '0' && letter <= '9') return this.backReference(Number(letter) - 1);
    return this.single();
  }

  private backReference(index: number): PatternNode {
    if (index < 0 || index >= this.captures || this.open.includes(index)) {
      throw new LuaError(`invalid capture index %${index + 1}`);
    }
    this.at += 2;
    // A position has no text, so nothing ever equals it.
    return this.positions.has(index) ? newNode(Op.Set) : newNode(Op.Back, { index });
  }

  /** A class or a literal character, with its suffix. */
  private single(): PatternNode {
    const item = this.literal() ?? this.classItem();
    const op = suffixOp(this.source[this.at]);
    if (op !== Op.Set) this.at++;
    if (typeof item !== 'number') return newNode(op, { set: item });
    if (op === Op.Set) return newNode(Op.Text, { text: String.fromCharCode(item) });
    return newNode(op, { set: onlyByte(item) });
  }

  /** Reads a literal character and returns its code; undefined when a class stands here. */
  private literal(): number | undefined {
    const { source } = this;
    let code = source.charCodeAt(this.at);
    if (code === ESCAPE) {
      if (this.at + 1 >= source.length) throw new LuaError("malformed pattern (ends with '%')");
      code = source.charCodeAt(this.at + 1);
      if (namedClass(code)) return undefined;
      this.at += 2;
      return code;
    }
    if (source[this.at] === '[' || source[this.at] === '.') return undefined;
    this.at++;
    return code;
  }

  private classItem(): CharacterClass {
    switch (this.source[this.at]) {
      case '[':
        return this.bracket();
      case '.':
        this.at++;
        return ANY;
      default:
        this.at += 2;
        return namedClass(this.source.charCodeAt(this.at - 1)) ?? NONE;
    }
  }

  /** `[set]`, from its bracket on. */
  private bracket(): CharacterClass {
    const { source } = this;
    const negated = source.charCodeAt(this.at + 1) === CARET;
    const begin = this.at + (negated ? 2 : 1);
    const end = this.bracketEnd(begin);
    const set = new Uint8Array(256);
    let at = begin;
    while (at < end) {
      const code = source.charCodeAt(at);
      if (code === ESCAPE) {
        addTo(set, source.charCodeAt(at + 1));
        at += 2;
      } else if (source.charCodeAt(at + 1) === MINUS && at + 2 < end) {
        for (let byte = code; byte <= source.charCodeAt(at + 2); byte++) set[byte] = 1;
        at += 3;
      } else {
        set[code] = 1;
        at++;
      }
    }
    this.at = end + 1;
    return negated ? classOf((byte) => set[byte] === 0) : set;
  }

  /** Where the closing bracket of a set is; the first character of a set is never it. */
  private bracketEnd(begin: number): number {
    const { source } = this;
    let at = begin;
    do {
      if (at >= source.length) throw new LuaError("malformed pattern (missing ']')");
      if (source.charCodeAt(at++) === ESCAPE && at < source.length) at++;
    } while (source.charCodeAt(at) !== CLOSE_BRACKET);
    return at;
  }

  private computeFirst(): void {
    let following: CharacterClass | undefined;
    for (let i = this.nodes.length - 1; i >= 0; i--) {
      const node = this.nodes[i] as PatternNode;
      following = firstOf(node, following);
      node.first = following;
    }
  }
}

function newNode(op: Op, { set = NONE, text = '', index = 0 }: Partial<PatternNode> = {}): PatternNode {
  return { op, set, text, index, first: undefined };
}

function firstOf(node: PatternNode, following: CharacterClass | undefined): CharacterClass | undefined {
  switch (node.op) {
    case Op.Text:
    case Op.Balanced:
      return onlyByte(node.text.charCodeAt(0));
    case Op.Set:
    case Op.Plus:
      return node.set;
    case Op.Optional:
    case Op.Star:
    case Op.Lazy:
      return following && classOf((byte) => node.set[byte] === 1 || following[byte] === 1);
    case Op.Open:
    case Op.Close:
    case Op.Position:
      return following;
    default:
      return undefined;
  }
}

function suffixOp(suffix: string | undefined): Op {
  switch (suffix) {
    case '?':
      return Op.Optional;
    case '*':
      return Op.Star;
    case '+':
      return Op.Plus;
    case '-':
      return Op.Lazy;
    default:
      return Op.Set;
  }
}

function onlyByte(code: number): CharacterClass {
  return classOf((byte) => byte === code);
}

function addTo(set: CharacterClass, letter: number): void {
  const members = namedClass(letter);
  if (!members) set[letter] = 1;
  else for (let byte = 0; byte < 256; byte++) set[byte]! |= members[byte]!;
}
