/** Statements and blocks of Lua 5.3 (manual §3.3). */

import type { Block, Expression, FunctionBody, Local, Statement } from './ast.js';
import { ExpressionParser } from './expressions.js';
import { Scopes } from './scope.js';
import { TokenStream } from './token-stream.js';

const BLOCK_END = new Set(['<eof>', 'end', 'else', 'elseif', 'until']);

/**
 * Parses a chunk. `chunk` is its name in errors. Throws SyntaxProblem where the source is wrong or needs what is not
 * compiled.
 */
export function parse(source: string, chunk: string): FunctionBody {
  return new Parser(source, chunk).chunk();
}

class Parser {
  private readonly tokens: TokenStream;
  private readonly scopes: Scopes;
  private readonly expressions: ExpressionParser;
  private loops = 0;

  constructor(source: string, chunk: string) {
    this.tokens = new TokenStream(source, chunk);
    this.scopes = new Scopes(chunk);
    this.expressions = new ExpressionParser(this.tokens, this.scopes, (name, line, isMethod) =>
      this.functionBody(name, line, isMethod),
    );
  }

  chunk(): FunctionBody {
    const block = this.scopes.inBlock(() => this.block());
    if (!this.tokens.is('<eof>')) this.tokens.fail("'<eof>' expected");
    return { scope: this.scopes.function, name: 'main', params: [], block, line: 0 };
  }

  private block(): Block {
    const { tokens } = this;
    const statements: Statement[] = [];
    while (!BLOCK_END.has(tokens.token.type)) {
      if (tokens.is('return')) {
        statements.push(this.returnStatement());
        break;
      }
      const statement = tokens.nested(() => this.statement());
      if (statement) statements.push(statement);
    }
    return statements;
  }

  private scoped(): Block {
    return this.scopes.inBlock(() => this.block());
  }

  private loopBody(): Block {
    this.loops++;
    const block = this.scoped();
    this.loops--;
    return block;
  }

  private returnStatement(): Statement {
    const { line } = this.tokens.advance();
    const empty = BLOCK_END.has(this.tokens.token.type) || this.tokens.is(';');
    const values = empty ? [] : this.expressions.list();
    this.tokens.accept(';');
    if (!BLOCK_END.has(this.tokens.token.type)) this.tokens.fail("'<eof>' expected");
    return { kind: 'return', values, line };
  }

  private statement(): Statement | undefined {
    const { tokens } = this;
    const { type, line } = tokens.token;
    switch (type) {
      case ';':
        tokens.advance();
        return undefined;
      case 'if':
        return this.ifStatement();
      case 'while': {
        tokens.advance();
        const condition = this.expressions.expression();
        tokens.expect('do');
        const block = this.loopBody();
        tokens.close('end', 'while', line);
        return { kind: 'while', condition, block, line };
      }
      case 'do': {
        tokens.advance();
        const block = this.scoped();
        tokens.close('end', 'do', line);
        return { kind: 'do', block, line };
      }
      case 'for':
        return this.forStatement();
      case 'repeat':
        return this.repeatStatement();
      case 'function':
        return this.functionStatement();
      case 'local':
        tokens.advance();
        return tokens.accept('function') ? this.localFunction(line) : this.localStatement(line);
      case '::': {
        tokens.advance();
        const name = tokens.name();
        tokens.expect('::');
        return { kind: 'label', name, line };
      }
      case 'goto':
        tokens.advance();
        return { kind: 'goto', name: tokens.name(), line };
      case 'break':
        tokens.advance();
        if (this.loops === 0) tokens.refuse(`<break> at line ${line} not inside a loop`, line);
        return { kind: 'break', line };
      default:
        return this.expressionStatement();
    }
  }

  private ifStatement(): Statement {
    const { tokens } = this;
    const { line } = tokens;
    const branches: { condition: Expression; block: Block }[] = [];
    do {
      tokens.advance();
      const condition = this.expressions.expression();
      tokens.expect('then');
      branches.push({ condition, block: this.scoped() });
    } while (tokens.is('elseif'));
    const otherwise = tokens.accept('else') ? this.scoped() : undefined;
    tokens.close('end', 'if', line);
    return { kind: 'if', branches, otherwise, line };
  }

  private repeatStatement(): Statement {
    const { line } = this.tokens.advance();
    this.loops++;
    // The condition sees the block's locals.
    return this.scopes.inBlock(() => {
      const block = this.block();
      this.loops--;
      this.tokens.close('until', 'repeat', line);
      return { kind: 'repeat', block, condition: this.expressions.expression(), line };
    });
  }

  private forStatement(): Statement {
    const { tokens } = this;
    const { line } = tokens.advance();
    const names = [tokens.name()];
    const body = <T>(declare: () => T): { declared: T; block: Block } =>
      this.scopes.inBlock(() => {
        tokens.expect('do');
        const declared = declare();
        const block = this.loopBody();
        tokens.close('end', 'for', line);
        return { declared, block };
      });
    if (tokens.accept('=')) {
      const from = this.expressions.expression();
      tokens.expect(',');
      const to = this.expressions.expression();
      const step = tokens.accept(',') ? this.expressions.expression() : undefined;
      const { declared, block } = body(() => this.scopes.declare(names[0]!));
      return { kind: 'fornum', local: declared, from, to, step, block, line };
    }
    while (tokens.accept(',')) names.push(tokens.name());
    tokens.expect('in');
    const values = this.expressions.list();
    const { declared, block } = body(() => names.map((name) => this.scopes.declare(name)));
    return { kind: 'forin', locals: declared, values, block, line };
  }

  private functionStatement(): Statement {
    const { tokens } = this;
    const { line } = tokens.advance();
    const first = tokens.line;
    let name = tokens.name();
    const isPath = tokens.is('.') || tokens.is(':');
    let target = this.scopes.resolve(name, first, !isPath);
    let isMethod = false;
    while (!isMethod && (tokens.is('.') || tokens.is(':'))) {
      isMethod = tokens.advance().type === ':';
      const key = this.expressions.fieldName();
      if (key.kind === 'string') name = key.value;
      target = { kind: 'index', object: target, key, line: first };
    }
    const body = this.functionBody(name, line, isMethod);
    return { kind: 'assign', targets: [target], values: [{ kind: 'function', body, line }], line };
  }

  private localFunction(line: number): Statement {
    const name = this.tokens.name();
    const local = this.scopes.declare(name);
    local.isFunction = true;
    return { kind: 'localfunction', local, body: this.functionBody(name, line, false), line };
  }

  private localStatement(line: number): Statement {
    const names = [this.tokens.name()];
    while (this.tokens.accept(',')) names.push(this.tokens.name());
    const values = this.tokens.accept('=') ? this.expressions.list() : [];
    return { kind: 'local', locals: names.map((name) => this.scopes.declare(name)), values, line };
  }

  private functionBody(name: string, line: number, isMethod: boolean): FunctionBody {
    const { tokens, scopes } = this;
    tokens.expect('(');
    const names = isMethod ? ['self'] : [];
    let isVararg = false;
    if (!tokens.is(')')) {
      do {
        isVararg = tokens.accept('...');
        if (!isVararg) names.push(tokens.name());
      } while (!isVararg && tokens.accept(','));
    }
    tokens.expect(')');
    const { loops } = this;
    this.loops = 0;
    const body = scopes.inFunction(isVararg, () => {
      const params: Local[] = names.map((param) => scopes.declare(param));
      return { scope: scopes.function, name, params, block: this.block(), line };
    });
    this.loops = loops;
    tokens.close('end', 'function', line);
    return body;
  }

  private expressionStatement(): Statement {
    const { tokens } = this;
    const { line } = tokens;
    const first = this.expressions.suffixed();
    if (!tokens.is('=') && !tokens.is(',')) {
      if (first.kind !== 'call') tokens.fail('syntax error');
      return { kind: 'call', call: first, line };
    }
    const targets = [this.target(first)];
    while (tokens.accept(',')) targets.push(this.target(this.expressions.suffixed()));
    tokens.expect('=');
    return { kind: 'assign', targets, values: this.expressions.list(), line };
  }

  private target(expression: Expression): Expression {
    if (expression.kind === 'local') expression.local.assigned = true;
    else if (expression.kind !== 'global' && expression.kind !== 'index') this.tokens.fail('syntax error');
    return expression;
  }
}
