/**
 * What is known of a module before any of it runs: which locals are always numbers, since only numbers are ever assigned
 * to them, and which functions always return one value. Both are assumed of all, then taken back until nothing changes.
 */

import type { Block, Expression, FunctionBody, Local, Statement } from '../syntax/ast.js';
import { isNumber, isOpen } from './kinds.js';

/** Sets `numeric` and `single` of all locals of a chunk. */
export function infer(chunk: FunctionBody): void {
  new Inference(chunk).run();
}

/** A value that is surely no number. */
const OTHER: Expression = { kind: 'nil', line: 0 };

class Inference {
  /** What each local is ever set to. */
  private readonly values = new Map<Local, Expression[]>();
  /** What each function that has a name for good returns. */
  private readonly returned = new Map<Local, (readonly Expression[])[]>();
  /** The lists of what is returned by the functions around, the innermost last. */
  private readonly returns: (readonly Expression[])[][] = [];

  constructor(private readonly chunk: FunctionBody) {}

  run(): void {
    this.body(this.chunk);
    for (const local of this.values.keys()) local.numeric = true;
    for (const local of this.returned.keys()) local.single = true;
    while (this.takeBack());
  }

  private takeBack(): boolean {
    let changed = false;
    for (const [local, values] of this.values) {
      if (!local.numeric || values.every(isNumber)) continue;
      local.numeric = false;
      changed = true;
    }
    for (const [local, lists] of this.returned) {
      if (!local.single || lists.every((list) => list.length === 1 && !isOpen(list[0]!))) continue;
      local.single = false;
      changed = true;
    }
    return changed;
  }

  private body({ params, block }: FunctionBody): (readonly Expression[])[] {
    for (const param of params) this.set(param, OTHER);
    const returns: (readonly Expression[])[] = [];
    this.returns.push(returns);
    this.block(block);
    this.returns.pop();
    if (!returnsAtEnd(block)) returns.push([]);
    return returns;
  }

  private set(local: Local, value: Expression): void {
    const known = this.values.get(local);
    if (known) known.push(value);
    else this.values.set(local, [value]);
  }

  private setAll(locals: readonly (Local | undefined)[], values: readonly Expression[]): void {
    locals.forEach((local, i) => {
      if (local) this.set(local, values[i] ?? OTHER);
    });
  }

  private block(block: Block | undefined): void {
    for (const statement of block ?? []) this.statement(statement);
  }

  private statement(s: Statement): void {
    switch (s.kind) {
      case 'local':
        this.setAll(s.locals, s.values);
        this.expressions(s.values);
        break;
      case 'assign':
        this.setAll(
          s.targets.map((target) => (target.kind === 'local' ? target.local : undefined)),
          s.values,
        );
        this.expressions(s.targets);
        this.expressions(s.values);
        break;
      case 'call':
        this.expression(s.call);
        break;
      case 'localfunction': {
        this.set(s.local, OTHER);
        const returns = this.body(s.body);
        if (!s.local.assigned) this.returned.set(s.local, returns);
        break;
      }
      case 'do':
        this.block(s.block);
        break;
      case 'while':
      case 'repeat':
        this.expression(s.condition);
        this.block(s.block);
        break;
      case 'if':
        for (const { condition, block } of s.branches) {
          this.expression(condition);
          this.block(block);
        }
        this.block(s.otherwise);
        break;
      case 'fornum':
        this.set(s.local, { kind: 'number', value: 0, line: s.line });
        this.expressions([s.from, s.to, s.step]);
        this.block(s.block);
        break;
      case 'forin':
        this.setAll(s.locals, []);
        this.expressions(s.values);
        this.block(s.block);
        break;
      case 'return':
        this.returns.at(-1)!.push(s.values);
        this.expressions(s.values);
        break;
      default:
    }
  }

  private expressions(list: readonly (Expression | undefined)[]): void {
    for (const e of list) if (e) this.expression(e);
  }

  /** Looks for functions inside. */
  private expression(e: Expression): void {
    switch (e.kind) {
      case 'function':
        this.body(e.body);
        break;
      case 'index':
        this.expressions([e.object, e.key]);
        break;
      case 'call':
        this.expressions([e.callee, ...e.args]);
        break;
      case 'binary':
        this.expressions([e.left, e.right]);
        break;
      case 'unary':
        this.expression(e.operand);
        break;
      case 'paren':
        this.expression(e.inner);
        break;
      case 'table':
        for (const { key, value } of e.items) this.expressions([key, value]);
        break;
      default:
    }
  }
}

/** Whether a block always ends by a `return`. */
function returnsAtEnd(block: Block): boolean {
  const last = block.at(-1);
  switch (last?.kind) {
    case 'return':
      return true;
    case 'do':
      return returnsAtEnd(last.block);
    case 'if':
      return (
        last.otherwise !== undefined &&
        returnsAtEnd(last.otherwise) &&
        last.branches.every((branch) => returnsAtEnd(branch.block))
      );
    default:
      return false;
  }
}
