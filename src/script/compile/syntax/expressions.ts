/** Expressions of Lua 5.3 (manual §3.4). */

import type {
  BinaryOperator,
  Call,
  Expression,
  FunctionBody,
  TableConstructor,
  UnaryOperator,
} from './ast.js';
import type { Scopes } from './scope.js';
import type { TokenStream } from './token-stream.js';

/** Left and right binding power, as in lparser.c. */
const POWER: Record<string, readonly [left: number, right: number]> = {
  or: [1, 1],
  and: [2, 2],
  '<': [3, 3],
  '>': [3, 3],
  '<=': [3, 3],
  '>=': [3, 3],
  '~=': [3, 3],
  '==': [3, 3],
  '|': [4, 4],
  '~': [5, 5],
  '&': [6, 6],
  '<<': [7, 7],
  '>>': [7, 7],
  '..': [9, 8],
  '+': [10, 10],
  '-': [10, 10],
  '*': [11, 11],
  '/': [11, 11],
  '//': [11, 11],
  '%': [11, 11],
  '^': [14, 13],
};
const UNARY_POWER = 12;
const UNARY = new Set(['not', '-', '#', '~']);

export class ExpressionParser {
  constructor(
    private readonly tokens: TokenStream,
    private readonly scopes: Scopes,
    /** Parses a function from its parameters to its `end`. */
    private readonly functionBody: (name: string, line: number, isMethod: boolean) => FunctionBody,
  ) {}

  list(): Expression[] {
    const values = [this.expression()];
    while (this.tokens.accept(',')) values.push(this.expression());
    return values;
  }

  expression(limit = 0): Expression {
    return this.tokens.nested(() => {
      let left = this.operand();
      for (;;) {
        const { type, line } = this.tokens.token;
        const power = Object.hasOwn(POWER, type) ? POWER[type]! : undefined;
        if (!power || power[0] <= limit) return left;
        this.tokens.advance();
        const right = this.expression(power[1]);
        left = { kind: 'binary', op: type as BinaryOperator, left, right, line };
      }
    });
  }

  private operand(): Expression {
    const { tokens } = this;
    const { type, line, text, value } = tokens.token;
    if (UNARY.has(type)) {
      tokens.advance();
      const operand = this.expression(UNARY_POWER);
      if (type === '-' && operand.kind === 'number' && operand.value !== 0) {
        return { kind: 'number', value: -operand.value, line };
      }
      return { kind: 'unary', op: type as UnaryOperator, operand, line };
    }
    switch (type) {
      case '<number>':
        tokens.advance();
        return { kind: 'number', value, line };
      case '<string>':
        tokens.advance();
        return { kind: 'string', value: text, line };
      case 'nil':
      case 'true':
      case 'false':
        tokens.advance();
        return { kind: type, line };
      case '...':
        if (!this.scopes.function.isVararg) tokens.fail("cannot use '...' outside a vararg function");
        tokens.advance();
        return { kind: 'vararg', line };
      case '{':
        return this.table();
      case 'function':
        tokens.advance();
        return { kind: 'function', body: this.functionBody('', line, false), line };
      default:
        return this.suffixed();
    }
  }

  /** A name or parenthesised expression with everything behind it: fields, calls. */
  suffixed(): Expression {
    const { tokens } = this;
    const { line } = tokens;
    let left = this.primary();
    for (;;) {
      const { type } = tokens.token;
      if (type === '.') {
        tokens.advance();
        left = { kind: 'index', object: left, key: this.fieldName(), line };
      } else if (type === '[') {
        tokens.advance();
        const key = this.expression();
        tokens.expect(']');
        left = { kind: 'index', object: left, key, line: tokens.line };
      } else if (type === ':') {
        tokens.advance();
        const method = tokens.name();
        left = this.call(left, method, line);
      } else if (type === '(' || type === '{' || type === '<string>') {
        left = this.call(left, undefined, line);
      } else {
        return left;
      }
    }
  }

  fieldName(): Expression {
    const { line } = this.tokens;
    return { kind: 'string', value: this.tokens.name(), line };
  }

  private primary(): Expression {
    const { tokens } = this;
    const { line } = tokens;
    if (tokens.is('<name>')) return this.scopes.resolve(tokens.name(), line);
    if (!tokens.accept('(')) tokens.fail('unexpected symbol');
    const inner = this.expression();
    tokens.close(')', '(', line);
    return { kind: 'paren', inner, line };
  }

  private call(callee: Expression, method: string | undefined, line: number): Call {
    const { tokens } = this;
    let args: Expression[] = [];
    if (tokens.is('<string>')) args = [{ kind: 'string', value: tokens.advance().text, line }];
    else if (tokens.is('{')) args = [this.table()];
    else {
      const opened = tokens.expect('(').line;
      if (!tokens.is(')')) args = this.list();
      tokens.close(')', '(', opened);
    }
    return { kind: 'call', callee, method, args, line };
  }

  private table(): TableConstructor {
    const { tokens } = this;
    const { line } = tokens.expect('{');
    const items: TableConstructor['items'][number][] = [];
    while (!tokens.is('}')) {
      let key: Expression | undefined;
      if (tokens.is('<name>') && tokens.peek().type === '=') {
        key = this.fieldName();
        tokens.advance();
      } else if (tokens.accept('[')) {
        key = this.expression();
        tokens.expect(']');
        tokens.expect('=');
      }
      items.push({ key, value: this.expression() });
      if (!tokens.accept(',') && !tokens.accept(';')) break;
    }
    tokens.close('}', '{', line);
    return { kind: 'table', items, line };
  }
}
