/**
 * Reads YAML 1.2 into plain values that remember their places. The text may be hostile: its size, its depth, and
 * the number of its tokens and values are bounded before anything recursive or quadratic sees it.
 */

import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  type Node,
  type ParsedNode,
  parseDocument,
  type YAMLMap,
} from 'yaml';
import { type Environment, expand } from './environment.js';
import { formatPath, type Problem, type Step } from './problems.js';

/** Longest configuration file in bytes. */
export const MAX_FILE_BYTES = 256 * 1024;
const MAX_TOKENS = 50_000;
const MAX_VALUES = 20_000;
const MAX_DEPTH = 32;
const MAX_COLUMN = 200;

/** A place in the file: line and column, from 1. */
type Place = Pick<Problem, 'line' | 'column'>;

/** Values of a file and where they stand. */
export interface Tree {
  /** Maps (without prototype), lists and scalars; keys without a value are undefined. Undefined: do not use. */
  readonly value: unknown;
  /** What is wrong with the file as YAML, or with its variables. */
  readonly problems: readonly Problem[];
  /** Where a setting stands; for one that is not in the file, what it would be in. */
  place(steps: readonly Step[], target?: 'key' | 'value'): Place;
}

/** Reads `text`; never throws. */
export function readYaml(text: string, env: Environment): Tree {
  const problems: Problem[] = [];
  const lines = new LineCounter();
  const placeAt = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  const reader = new TreeReader(env, (offset, steps, message) => {
    problems.push({ ...placeAt(offset), path: formatPath(steps), message });
  });
  const place = (steps: readonly Step[], target: 'key' | 'value' = 'value'): Place =>
    placeAt(reader.offset(steps, target));

  const refused = findUnreadable(text);
  if (refused) {
    lines.addNewLine(0);
    for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) lines.addNewLine(at + 1);
    problems.push({ ...placeAt(refused.offset), path: '', message: refused.message });
    return { value: undefined, problems, place };
  }
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, stringKeys: true });
  for (const error of [...document.errors, ...document.warnings]) {
    const message = `is not valid YAML: ${error.message.split('\n')[0]}`;
    problems.push({ ...placeAt(error.pos[0]), path: '', message });
  }
  // A repeated key leaves the rest readable; after other errors the tree is not what was meant.
  if (document.errors.some((error) => error.code !== 'DUPLICATE_KEY')) {
    return { value: undefined, problems, place };
  }
  return { value: reader.read(document.contents), problems, place };
}

/** The first thing that makes `text` unfit for the parser. */
function findUnreadable(text: string): { offset: number; message: string } | undefined {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  const control = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f]/.exec(text);
  if (control) {
    const code = control[0].charCodeAt(0).toString(16).padStart(2, '0');
    return { offset: control.index, message: `is not text: byte 0x${code} does not belong in YAML` };
  }
  let [offset, lineStart, depth, tokens] = [0, 0, 0, 0];
  let scalarNext = false;
  for (const token of new Lexer().lex(text)) {
    if (token === '\u0002' || token === '\u0018' || token === '\u001f') {
      scalarNext = token === '\u001f'; // a mark of the lexer, not part of the text
      continue;
    }
    if (!scalarNext) {
      if (token === '[' || token === '{') depth++;
      else if (token === ']' || token === '}') depth = Math.max(0, depth - 1);
      const indents = token === '-' || token === '?' || token.startsWith(' ');
      const column = token.startsWith(' ') && offset === lineStart ? token.length : offset - lineStart;
      const tooDeep = depth > MAX_DEPTH || (indents && offset === lineStart && column > MAX_COLUMN);
      if (tooDeep || ((token === '-' || token === '?') && column > MAX_COLUMN)) {
        return {
          offset,
          message: `is nested too deeply: at most ${MAX_DEPTH} levels and ${MAX_COLUMN} columns`,
        };
      }
    }
    if (++tokens > MAX_TOKENS) return { offset, message: `is too large: at most ${MAX_TOKENS} tokens` };
    scalarNext = false;
    const newline = token.lastIndexOf('\n');
    if (newline !== -1) lineStart = offset + newline + 1;
    offset += token.length;
  }
  return undefined;
}

/** Turns nodes into plain values, following aliases, and notes the offsets of keys and values. */
class TreeReader {
  private readonly offsets = new Map<string, { key: number; value: number }>();
  private readonly anchors = new Map<string, Node>();
  private values = 0;

  constructor(
    private readonly env: Environment,
    private readonly report: (offset: number, steps: readonly Step[], message: string) => void,
  ) {}

  read(root: ParsedNode | null): unknown {
    return this.readNode(root, [], 0);
  }

  offset(steps: readonly Step[], target: 'key' | 'value'): number {
    for (let length = steps.length; length > 0; length--) {
      const found = this.offsets.get(formatPath(steps.slice(0, length)));
      if (found) return found[length === steps.length ? target : 'value'];
    }
    return 0;
  }

  private readNode(node: Node | null, steps: readonly Step[], keyOffset: number): unknown {
    const offset = node?.range?.[0] ?? keyOffset;
    this.offsets.set(formatPath(steps), { key: keyOffset, value: offset });
    if (++this.values > MAX_VALUES || steps.length > MAX_DEPTH) {
      // Once is enough: an alias inside its own anchor, or aliases of aliases, would repeat it without end.
      if (this.values !== Number.POSITIVE_INFINITY) {
        this.report(offset, [], `holds too much: at most ${MAX_VALUES} values, ${MAX_DEPTH} levels deep`);
      }
      this.values = Number.POSITIVE_INFINITY;
      return undefined;
    }
    if (isAlias(node)) {
      const target = this.anchors.get(node.source);
      if (target) return this.readNode(target, steps, keyOffset);
      this.report(offset, steps, `refers to *${node.source}, which is not defined above`);
      return undefined;
    }
    if ((isMap(node) || isSeq(node) || isScalar(node)) && node.anchor) this.anchors.set(node.anchor, node);
    if (isMap(node)) return this.readMap(node, steps);
    if (isSeq(node)) {
      return node.items.map((item, index) => this.readNode(item as Node | null, [...steps, index], offset));
    }
    const value = isScalar(node) ? node.value : undefined;
    if (typeof value === 'string') {
      return expand(value, this.env, (message) => this.report(offset, steps, message));
    }
    return value ?? undefined;
  }

  private readMap(node: YAMLMap, steps: readonly Step[]): Record<string, unknown> {
    const map: Record<string, unknown> = Object.create(null);
    for (const { key, value } of node.items) {
      const name = isScalar(key) ? String(key.value) : '';
      const keyOffset = (isScalar(key) ? key.range?.[0] : undefined) ?? node.range?.[0] ?? 0;
      if (name === '__proto__' || name === 'constructor' || name === 'prototype') {
        this.report(keyOffset, [...steps, name], 'is not a name that can be used');
      } else {
        map[name] = this.readNode(value as Node | null, [...steps, name], keyOffset);
      }
    }
    return map;
  }
}
