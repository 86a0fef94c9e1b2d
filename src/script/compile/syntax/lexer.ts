/** Lua 5.3 source (manual §3.1) as tokens. Source and strings are one-byte strings. */

import { parseNumber } from '../../numbers.js';
import { encode } from '../../stdlib/utf8.js';
import { SyntaxProblem } from './problem.js';

const KEYWORDS = new Set(
  (
    'and break do else elseif end false for function goto if in local nil not or repeat return then true until ' +
    'while'
  ).split(' '),
);

/** `type` is the keyword or symbol itself, or one of the four kinds. */
export interface Token {
  readonly type: string;
  readonly text: string;
  readonly value: number;
  readonly line: number;
}

const SPACE = /[ \t\v\f\r\n]*/y;
const NAME = /[A-Za-z_]\w*/y;
const NUMBER = /0[xX](?:[pP][+-]?|[\w.])*|\.?\d(?:[eE][+-]?|[\w.])*/y;
const SYMBOL = /\.\.\.|\.\.|==|~=|<=|>=|<<|>>|\/\/|::|[-+*/%^#&~|<>=(){}[\];:,.]/y;
const LONG_OPEN = /\[(=*)\[(?:\r\n|\n\r|\n|\r)?/y;
const LINE_END = /\r\n|\n\r|\n|\r/g;
const ESCAPES: Record<string, string> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  '"': '"',
  "'": "'",
};

export class Lexer {
  private at = 0;
  private line = 1;

  constructor(
    private readonly source: string,
    private readonly chunk: string,
  ) {}

  /** The next token; its type is `<eof>` at the end. Throws {@link SyntaxProblem}. */
  next(): Token {
    this.skip();
    const { line } = this;
    const token = (type: string, text: string, value = 0): Token => ({ type, text, value, line });
    if (this.at >= this.source.length) return token('<eof>', '<eof>');
    const name = this.match(NAME)?.[0];
    if (name !== undefined) return token(KEYWORDS.has(name) ? name : '<name>', name);
    const first = this.source[this.at]!;
    const number = this.match(NUMBER)?.[0];
    if (number !== undefined) {
      const value = parseNumber(number);
      if (value === undefined) this.fail(`malformed number near '${number}'`);
      return token('<number>', number, value);
    }
    if (first === '"' || first === "'") return token('<string>', this.quoted(first));
    const long = this.match(LONG_OPEN);
    if (long) return token('<string>', this.long(long[1]!.length, long[0], 'string'));
    const symbol = this.match(SYMBOL)?.[0];
    if (symbol === undefined) return this.fail(`unexpected symbol near '${first}'`);
    return token(symbol, symbol);
  }

  /** Throws with the place and a message. */
  fail(message: string, line = this.line): never {
    throw new SyntaxProblem(`${this.chunk}:${line}: ${message}`);
  }

  private match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.source);
    if (found) this.at += found[0].length;
    return found;
  }

  private countLines(text: string): void {
    this.line += text.match(LINE_END)?.length ?? 0;
  }

  private skip(): void {
    for (;;) {
      this.countLines(this.match(SPACE)![0]);
      if (!this.source.startsWith('--', this.at)) return;
      this.at += 2;
      const long = this.match(LONG_OPEN);
      if (long) this.long(long[1]!.length, long[0], 'comment');
      else {
        const end = this.source.slice(this.at).search(/[\r\n]/);
        this.at = end < 0 ? this.source.length : this.at + end;
      }
    }
  }

  private long(level: number, opening: string, what: string): string {
    const { line } = this;
    this.countLines(opening);
    const closing = `]${'='.repeat(level)}]`;
    const end = this.source.indexOf(closing, this.at);
    if (end < 0) this.fail(`unfinished long ${what} (starting at line ${line}) near <eof>`);
    const text = this.source.slice(this.at, end);
    this.at = end + closing.length;
    this.countLines(text);
    return text.replace(LINE_END, '\n');
  }

  private quoted(quote: string): string {
    this.at++;
    let text = '';
    for (;;) {
      const c = this.source[this.at];
      if (c === undefined || c === '\n' || c === '\r') return this.fail('unfinished string');
      this.at++;
      if (c === quote) return text;
      text += c === '\\' ? this.escape() : c;
    }
  }

  private escape(): string {
    const c = this.source[this.at] ?? '';
    const simple = Object.hasOwn(ESCAPES, c) ? ESCAPES[c] : undefined;
    if (simple !== undefined) {
      this.at++;
      return simple;
    }
    const byte = this.match(/x([0-9a-fA-F]{2})/y);
    if (byte) return String.fromCharCode(Number.parseInt(byte[1]!, 16));
    const decimal = this.match(/\d{1,3}/y);
    if (decimal) {
      if (Number(decimal[0]) > 255) this.fail('decimal escape too large');
      return String.fromCharCode(Number(decimal[0]));
    }
    const character = this.match(/u\{([0-9a-fA-F]+)\}/y);
    if (character) {
      const code = Number.parseInt(character[1]!, 16);
      if (code > 0x10ffff) this.fail('UTF-8 value too large');
      return encode(code);
    }
    const lineEnd = this.match(/\r\n|\n\r|\n|\r/y);
    if (lineEnd) {
      this.line++;
      return '\n';
    }
    if (c !== 'z') return this.fail('invalid escape sequence');
    this.at++;
    this.countLines(this.match(SPACE)![0]);
    return '';
  }
}
