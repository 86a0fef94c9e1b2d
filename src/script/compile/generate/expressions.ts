/**
 * Expressions as JavaScript: what numbers and small integers need stands in place, where V8 learns its types;
 * everything else is a call into the runtime. Every text is a JavaScript expression that can stand anywhere.
 */

import type { Call, Expression, FunctionBody, TableConstructor } from '../syntax/ast.js';
import { binary, unary } from './arithmetic.js';
import type { FunctionState } from './function-state.js';
import { isComparison, isCondition, isKnown, isNeverNil, isOpen } from './kinds.js';
import { atLine } from './lines.js';
import { localName, numberLiteral, stringLiteral } from './literals.js';

export class ExpressionGenerator {
  constructor(
    /** The function that is generated now. */
    readonly state: () => FunctionState,
    private readonly functionText: (body: FunctionBody) => string,
  ) {}

  /** One value. */
  value(e: Expression): string {
    switch (e.kind) {
      case 'nil':
        return 'undefined';
      case 'true':
      case 'false':
        return e.kind;
      case 'number':
        return numberLiteral(e.value);
      case 'string':
        return stringLiteral(e.value);
      case 'vararg':
        return 'va[0]';
      case 'local':
        return localName(e.local);
      case 'global':
        return `$field($G,${stringLiteral(e.name)})`;
      case 'index':
        return this.index(e.object, e.key, e.line);
      case 'call':
        return `$one(${this.call(e)})`;
      case 'function':
        return `(${this.functionText(e.body)})`;
      case 'paren':
        return this.value(e.inner);
      case 'table':
        return this.table(e);
      case 'unary':
        return unary(this, e.op, e.operand, e.line);
      case 'binary':
        if (e.op === 'and' || e.op === 'or') return this.logical(e.op, e.left, e.right);
        return binary(this, e.op, e.left, e.right, e.line);
    }
  }

  /** All values of a call or `...`: one value, or an array. */
  results(e: Expression): string {
    if (e.kind === 'call') return this.call(e);
    return e.kind === 'vararg' ? 'va' : this.value(e);
  }

  /** Elements of an argument list or array, the last expanded. */
  list(values: readonly Expression[]): string {
    const { state } = this;
    const mark = state().mark;
    const texts = values.map((e, i) => {
      if (i < values.length - 1 || !isOpen(e)) return this.value(e);
      return e.kind === 'vararg' ? '...va' : `...$many(${this.call(e as Call)})`;
    });
    state().release(mark);
    return texts.join(',');
  }

  /** A JavaScript condition. */
  condition(e: Expression): string {
    if (e.kind === 'paren') return this.condition(e.inner);
    if (e.kind === 'true' || e.kind === 'false') return e.kind;
    if (e.kind === 'nil') return 'false';
    if (e.kind === 'unary' && e.op === 'not') return `!(${this.condition(e.operand)})`;
    if (e.kind === 'binary') {
      if (e.op === 'and') return `(${this.condition(e.left)}&&${this.condition(e.right)})`;
      if (e.op === 'or') return `(${this.condition(e.left)}||${this.condition(e.right)})`;
      if (isComparison(e.op)) return binary(this, e.op, e.left, e.right, e.line);
    }
    if (e.kind === 'local') return `(${localName(e.local)}!==undefined&&${localName(e.local)}!==false)`;
    const mark = this.state().mark;
    const text = this.value(e);
    const t = this.state().temporary();
    this.state().release(mark);
    return `((${t}=${text})!==undefined&&${t}!==false)`;
  }

  private logical(op: 'and' | 'or', left: Expression, right: Expression): string {
    const mark = this.state().mark;
    if (isCondition(left) && isCondition(right)) {
      return `(${this.condition(left)}${op === 'and' ? '&&' : '||'}${this.condition(right)})`;
    }
    let test: string;
    let kept: string;
    if (left.kind === 'local' && !left.local.assigned) {
      test = this.condition(left);
      kept = localName(left.local);
    } else {
      const text = this.value(left);
      kept = this.state().temporary();
      test = `(${kept}=${text})!==undefined&&${kept}!==false`;
    }
    const other = this.value(right);
    this.state().release(mark);
    return op === 'and' ? `(${test}?${other}:${kept})` : `(${test}?${kept}:${other})`;
  }

  private index(object: Expression, key: Expression, line: number): string {
    const mark = this.state().mark;
    const fn = key.kind === 'string' ? '$field' : '$index';
    const text = `${atLine(line)}${fn}(${this.value(object)},${this.value(key)}${this.named(object)})`;
    this.state().release(mark);
    return text;
  }

  /** A call with whatever it returns. */
  call({ callee, method, args, line }: Call): string {
    const state = this.state();
    const mark = state.mark;
    if (callee.kind === 'local' && method === undefined && isKnown(callee.local)) {
      const text = `${atLine(line)}${localName(callee.local)}(${this.list(args)})`;
      state.release(mark);
      return text;
    }
    const object = this.value(callee);
    let text: string;
    if (method === undefined) {
      const t = callee.kind === 'local' ? object : state.temporary();
      const first = callee.kind === 'local' ? object : `(${t}=${object})`;
      text = `${atLine(line)}(typeof ${first}==='function'?${t}:$call(${t}${this.named(callee)}))(${this.list(args)})`;
    } else {
      const self = state.temporary();
      const fn = state.temporary();
      const found = `$field(${self},${stringLiteral(method)}${this.named(callee)})`;
      const name = stringLiteral(`method '${method}'`);
      const rest = args.length > 0 ? `,${this.list(args)}` : '';
      // The object is read before the arguments are evaluated, which may use the variable again.
      text = `${atLine(line)}(${self}=${object},typeof (${fn}=${found})==='function'?${fn}:$call(${fn},${name}))(${self}${rest})`;
    }
    state.release(mark);
    return text;
  }

  private table({ items, line }: TableConstructor): string {
    const state = this.state();
    const mark = state.mark;
    const listed = items.filter((item) => item.key === undefined).map((item) => item.value);
    const keyed = items.filter((item) => item.key !== undefined);
    const names = keyed.map(({ key }) => (key!.kind === 'string' ? key!.value : undefined));
    const isRecord = names.every((name) => name !== undefined) && new Set(names).size === names.length;
    let text: string;
    if (isRecord && (listed.length === 0 || keyed.length === 0)) {
      const array = listed.every(isNeverNil) ? `[${this.list(listed)}]` : `$list([${this.list(listed)}])`;
      const keys = keyed.map(({ key }) => this.value(key!));
      text = `new $T(${array},[${keys}],[${keyed.map(({ value }) => this.value(value))}])`;
    } else {
      const t = state.temporary();
      const parts = [`${t}=new $T([],[],[])`];
      let n = 0;
      items.forEach(({ key, value }, i) => {
        if (key) parts.push(`${atLine(value.line)}$setIndex(${t},${this.value(key)},${this.value(value)})`);
        else if (i === items.length - 1 && isOpen(value))
          parts.push(`$append(${t},${n},${this.results(value)})`);
        else parts.push(`$setIndex(${t},${++n},${this.value(value)})`);
      });
      text = `(${parts.join(',')},${t})`;
    }
    state.release(mark);
    return `${atLine(line)}${text}`;
  }

  /** Which variable an expression is, as a further argument, for errors. */
  named(e: Expression): string {
    const name = this.nameOf(e);
    return name === undefined ? '' : `,${stringLiteral(name)}`;
  }

  nameOf(e: Expression): string | undefined {
    switch (e.kind) {
      case 'local':
        return `${e.local.owner === this.state().scope ? 'local' : 'upvalue'} '${e.local.name}'`;
      case 'global':
        return `global '${e.name}'`;
      case 'index':
        return `field '${e.key.kind === 'string' ? e.key.value : '?'}'`;
      case 'paren':
        return isOpen(e.inner) ? undefined : this.nameOf(e.inner);
      default:
        return undefined;
    }
  }
}
