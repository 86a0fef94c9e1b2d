/** Tokens with one of look-ahead, and what a parser asks of them. */

import { Lexer, type Token } from './lexer.js';

/** Deepest nesting of expressions, functions and blocks, as in Lua. */
const MAX_DEPTH = 200;

export class TokenStream {
  private readonly lexer: Lexer;
  token: Token;
  private ahead: Token | undefined;
  private depth = 0;

  constructor(source: string, chunk: string) {
    this.lexer = new Lexer(source, chunk);
    this.token = this.lexer.next();
  }

  get line(): number {
    return this.token.line;
  }

  peek(): Token {
    this.ahead ??= this.lexer.next();
    return this.ahead;
  }

  advance(): Token {
    const token = this.token;
    this.token = this.ahead ?? this.lexer.next();
    this.ahead = undefined;
    return token;
  }

  is(type: string): boolean {
    return this.token.type === type;
  }

  /** Consumes a token of that type if it is next. */
  accept(type: string): boolean {
    if (this.token.type !== type) return false;
    this.advance();
    return true;
  }

  expect(type: string): Token {
    if (this.token.type !== type) this.fail(`'${type}' expected`);
    return this.advance();
  }

  /** Expects what closes a construct that began at `line`. */
  close(type: string, opening: string, line: number): void {
    if (this.accept(type)) return;
    if (line === this.token.line) this.fail(`'${type}' expected`);
    this.fail(`'${type}' expected (to close '${opening}' at line ${line})`);
  }

  name(): string {
    if (this.token.type !== '<name>') this.fail('<name> expected');
    return this.advance().text;
  }

  fail(message: string): never {
    const { text, type, line } = this.token;
    this.lexer.fail(`${message} near ${type === '<eof>' ? text : `'${text}'`}`, line);
  }

  /** Says no to a program, whatever token is next. */
  refuse(message: string, line: number): never {
    this.lexer.fail(message, line);
  }

  nested<T>(body: () => T): T {
    if (++this.depth > MAX_DEPTH) this.fail('chunk has too many syntax levels');
    const result = body();
    this.depth--;
    return result;
  }
}
