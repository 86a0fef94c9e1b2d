/**
 * Expressions as JavaScript: what numbers and small integers need stands in place, where V8 learns its types;
 * everything else is a call into the runtime. Every text is a JavaScript expression that can stand anywhere.
 */

import type { Call, Expression, FunctionBody, TableConstructor } from '../syntax/ast.js';
import { binary, unary } from './arithmetic.js';
import type { Constants } from './constants.js';
import type { FunctionState } from './function-state.js';
import { isComparison, isCondition, isKnown, isNeverNil, isOpen, isSmall, isTrue } from './kinds.js';
import { atLine } from './lines.js';
import { localName, numberLiteral, stringLiteral } from './literals.js';

/** Most fields of a record in a constructor. */
const MAX_FIELDS = 60;

/** A field as the text that reads it. */
interface FieldText {
  /** Evaluates the object… */
  readonly first: string;
  /** …which then is this. */
  readonly held: string;
  /** What the runtime is told to look at, where the place does not remember. */
  readonly object: string;
  /** The place. */
  readonly place: string;
  /** A variable for what is found; may be `held`. */
  readonly found: string;
  readonly name: string;
}

function fieldText({ first, held, object, place, found, name }: FieldText): string {
  const known = `${first}?.shape===${place}.shape&&(${found}=${held}.slots[${place}.slot])!==undefined`;
  return `(${known}?${found}:$field(${object},${place}${name}))`;
}

export class ExpressionGenerator {
  constructor(
    /** The function that is generated now. */
    readonly state: () => FunctionState,
    private readonly functionText: (body: FunctionBody) => string,
    private readonly constants: Constants,
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
        return this.global(e.name);
      case 'index':
        return this.index(e.object, e.key, e.line);
      case 'call':
        return this.byteOf(e, true) ?? (isOpen(e) ? `$one(${this.call(e)})` : this.call(e));
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

  private global(name: string): string {
    const state = this.state();
    const mark = state.mark;
    const text = fieldText({
      first: '$G',
      held: '$G',
      object: '$G',
      place: this.constants.global(name),
      found: state.temporary(),
      name: '',
    });
    state.release(mark);
    return text;
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
    if (isCondition(left)) return this.chosen(op, this.condition(left), right);
    // `condition and a or b`, where `a` is always true.
    if (op === 'or' && left.kind === 'binary' && left.op === 'and' && isTrue(left.right)) {
      return `(${this.condition(left.left)}?${this.value(left.right)}:${this.value(right)})`;
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

  /** `and` or `or` whose left side is a condition. */
  private chosen(op: 'and' | 'or', test: string, right: Expression): string {
    if (isCondition(right)) return `(${test}${op === 'and' ? '&&' : '||'}${this.condition(right)})`;
    return op === 'and' ? `(${test}?${this.value(right)}:false)` : `(${test}?true:${this.value(right)})`;
  }

  private index(object: Expression, key: Expression, line: number): string {
    const mark = this.state().mark;
    const text =
      key.kind === 'string'
        ? this.field(object, key.value)
        : `$index(${this.value(object)},${this.value(key)}${this.named(object)})`;
    this.state().release(mark);
    return atLine(line) + text;
  }

  /** A field by its name: from where this place of the source found it last, else by the runtime. */
  private field(object: Expression, key: string): string {
    const text = this.value(object);
    const held = object.kind === 'local' ? text : this.state().temporary();
    return fieldText({
      first: object.kind === 'local' ? text : `(${held}=${text})`,
      held,
      object: held,
      place: this.constants.reading(key),
      found: this.state().temporary(),
      name: this.named(object),
    });
  }

  /** A call with whatever it returns. */
  call(e: Call): string {
    const { callee, method, args, line } = e;
    const state = this.state();
    const { mark } = state;
    let text = this.byteOf(e, false);
    if (text !== undefined) return text;
    if (method !== undefined) text = this.method(this.value(callee), e);
    else if (callee.kind === 'local' && isKnown(callee.local))
      text = `${localName(callee.local)}(${this.list(args)})`;
    else {
      const object = this.value(callee);
      const t = callee.kind === 'local' ? object : state.temporary();
      const first = callee.kind === 'local' ? object : `(${t}=${object})`;
      text = `(typeof ${first}==='function'?${t}:$call(${t}${this.named(callee)}))(${this.list(args)})`;
    }
    state.release(mark);
    return atLine(line) + text;
  }

  /**
   * `object:byte(at)`, straight from the string where it is one, and `string.byte` is what it was. With `isOne` the text
   * gives one value. Undefined where the position is more than a few operators, since it stands there twice.
   */
  private byteOf(e: Call, isOne: boolean): string | undefined {
    const [argument] = e.args;
    if (e.method !== 'byte' || e.args.length !== 1 || !isSmall(argument!)) return undefined;
    const state = this.state();
    const { mark } = state;
    const object = this.value(e.callee);
    const isStable = e.callee.kind === 'local' && !e.callee.local.assigned;
    const self = isStable ? object : state.temporary();
    const at = state.temporary();
    const [open, close] = isOne ? ['$one(', ')'] : ['', ''];
    const place = `${at}=${this.value(argument!)},${at}>0&&${at}<=${self}.length&&(${at}|0)===${at}`;
    const text =
      `(${isStable ? '' : `${self}=${object},`}${atLine(e.line)}typeof ${self}==='string'&&$S.slots[$B]===$byte` +
      `?(${place}?${self}.charCodeAt(${at}-1):${open}$byte(${self},${at})${close})` +
      `:${open}${this.method(self, e)}${close})`;
    state.release(mark);
    return text;
  }

  /** `object:name(…)`. */
  private method(object: string, { callee, method, args }: Call): string {
    const state = this.state();
    const self = state.temporary();
    const fn = state.temporary();
    const found = fieldText({
      first: `(${fn}=typeof ${self}==='string'?$S:${self})`,
      held: fn,
      object: self,
      place: this.constants.reading(method!),
      found: fn,
      name: this.named(callee),
    });
    const name = stringLiteral(`method '${method}'`);
    const rest = args.length > 0 ? `,${this.list(args)}` : '';
    // The object is read before the arguments are evaluated, which may use the variable again.
    return `(${self}=${object},typeof (${fn}=${found})==='function'?${fn}:$call(${fn},${name}))(${self}${rest})`;
  }

  private table({ items, line }: TableConstructor): string {
    const state = this.state();
    const mark = state.mark;
    const listed = items.filter((item) => item.key === undefined).map((item) => item.value);
    const names = items.flatMap(({ key }) => (key?.kind === 'string' ? [key.value] : []));
    const isRecord = new Set(names).size === items.length && names.length <= MAX_FIELDS;
    let text: string;
    if (items.length === 0) text = 'new $T($R,$N,$N)';
    else if (isRecord) {
      const values = items.map(({ value }) => this.value(value));
      text = `new $T(${this.constants.shape(names)},[undefined,${values}],$N)`;
    } else if (listed.length === items.length) {
      const array = `[undefined,${this.list(listed)}]`;
      text = `new $T($R,$N,${listed.every(isNeverNil) ? array : `$list(${array})`})`;
    } else {
      const t = state.temporary();
      const parts = [`${t}=new $T($R,$N,$N)`];
      let n = 0;
      items.forEach(({ key, value }, i) => {
        if (key) parts.push(atLine(value.line) + this.store(t, key, this.value(value), ''));
        else if (i === items.length - 1 && isOpen(value))
          parts.push(`$append(${t},${n},${this.results(value)})`);
        else parts.push(`$setIndex(${t},${++n},${this.value(value)})`);
      });
      text = `(${parts.join(',')},${t})`;
    }
    state.release(mark);
    return `${atLine(line)}${text}`;
  }

  /** Sets a field of an object that is given as text. */
  store(object: string, key: Expression, value: string, name: string): string {
    if (key.kind === 'string')
      return `$setField(${object},${this.constants.writing(key.value)},${value}${name})`;
    return `$setIndex(${object},${this.value(key)},${value}${name})`;
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
