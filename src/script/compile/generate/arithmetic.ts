/** Operators on numbers in place, and the runtime's slow path for anything else. */

import type { BinaryOperator, Expression, UnaryOperator } from '../syntax/ast.js';
import type { ExpressionGenerator } from './expressions.js';
import { arithmeticEvent, isBitOperator, isNumber } from './kinds.js';
import { atLine } from './lines.js';

/** A 32-bit integer shifted by up to so many bits stays within 64, and as a double exact. */
const MAX_SHIFT = 31;

const isLiteral = (e: Expression): boolean => ['number', 'string', 'nil', 'true', 'false'].includes(e.kind);
const isSimple = (e: Expression): boolean => isLiteral(e) || e.kind === 'local';

/** Any binary operator but `and` and `or`. */
export function binary(
  g: ExpressionGenerator,
  op: BinaryOperator,
  left: Expression,
  right: Expression,
  line: number,
): string {
  if (op === '~=') return `!(${binary(g, '==', left, right, line)})`;
  const state = g.state();
  const { mark } = state;
  const setup: string[] = [];
  const operand = (e: Expression, isStable: boolean): string => {
    const text = g.value(e);
    if (isStable) return text;
    const t = state.temporary();
    setup.push(`${t}=${text}`);
    return t;
  };
  const leftStable = isLiteral(left) || (left.kind === 'local' && (!left.local.assigned || isSimple(right)));
  const a = operand(left, leftStable);
  const b = operand(right, isSimple(right));
  state.release(mark);
  const names = (): string => {
    const [x, y] = [g.nameOf(left), g.nameOf(right)];
    if (x === undefined && y === undefined) return '';
    return `,${x === undefined ? 'undefined' : JSON.stringify(x)}${y === undefined ? '' : `,${JSON.stringify(y)}`}`;
  };
  // Operands are evaluated in their order, whichever way they are compared.
  const text =
    op === '>' || op === '>='
      ? operation(op === '>' ? '<' : '<=', b, a, right, left, names)
      : operation(op, a, b, left, right, names);
  return `(${setup.map((s) => `${s},`).join('')}${atLine(line)}${text})`;
}

function operation(
  op: BinaryOperator,
  a: string,
  b: string,
  left: Expression,
  right: Expression,
  names: () => string,
): string {
  const [leftNumber, rightNumber] = [isNumber(left), isNumber(right)];
  const checks = [
    leftNumber ? [] : [`typeof ${a}==='number'`],
    rightNumber ? [] : [`typeof ${b}==='number'`],
  ].flat();
  const guarded = (fast: string, slow: string): string =>
    checks.length === 0 ? fast : `${checks.join('&&')}?${fast}:${slow}`;
  switch (op) {
    case '==':
      if (isLiteral(left) || isLiteral(right) || leftNumber || rightNumber) return `${a}===${b}`;
      return `${a}===${b}||$equal(${a},${b})`;
    case '<':
      return guarded(`${a}<${b}`, `$less(${a},${b})`);
    case '<=':
      return guarded(`${a}<=${b}`, `$lessEqual(${a},${b})`);
    case '..':
      return `$concat(${a},${b}${names()})`;
    default:
  }
  const event = arithmeticEvent(op)!;
  if (isBitOperator(op)) return bitOperation(op, a, b, right, `$bits("${event}",${a},${b}${names()})`);
  const slow = `$arith("${event}",${a},${b}${names()})`;
  if (op === '//') return guarded(`$floor(${a}/${b})`, slow);
  if (op === '%') return guarded(`(${a}>=0&&${b}>0?${a}%${b}:$modulo(${a},${b}))`, slow);
  return guarded(op === '^' ? `${a}**${b}` : `${a}${op}${b}`, slow);
}

/** Where operands are small integers, JavaScript's operators agree with those of 64 bits. */
function bitOperation(op: string, a: string, b: string, right: Expression, slow: string): string {
  const bits = right.kind === 'number' ? right.value : undefined;
  if (op === '<<' || op === '>>') {
    const held = op === '<<' ? `(${a}|0)===${a}` : `(${a}>>>0)===${a}`;
    if (bits === undefined) {
      const shifted = op === '<<' ? `${a}*((1<<${b})>>>0)` : `${a}>>>${b}`;
      return `${held}&&(${b}&${MAX_SHIFT})===${b}?${shifted}:${slow}`;
    }
    if (!(Number.isInteger(bits) && bits >= 0 && bits <= MAX_SHIFT)) return slow;
    return `${held}?${op === '<<' ? `${a}*${2 ** bits}` : `${a}>>>${bits}`}:${slow}`;
  }
  const sign = op === '~' ? '^' : op;
  if (bits === undefined) return `(${a}|0)===${a}&&(${b}|0)===${b}?${a}${sign}${b}:${slow}`;
  if ((bits | 0) === bits) return `(${a}|0)===${a}?${a}${sign}${b}:${slow}`;
  return bits >>> 0 === bits ? `(${a}>>>0)===${a}?(${a}${sign}${b})>>>0:${slow}` : slow;
}

export function unary(g: ExpressionGenerator, op: UnaryOperator, operand: Expression, line: number): string {
  if (op === 'not') return `!(${g.condition(operand)})`;
  const state = g.state();
  const { mark } = state;
  const text = g.value(operand);
  const names = g.named(operand);
  const isStable = isSimple(operand) && operand.kind !== 'number';
  const a = isStable ? text : state.temporary();
  state.release(mark);
  const setup = isStable ? '' : `${a}=${text},`;
  if (op === '#') return `(${setup}${atLine(line)}typeof ${a}==='string'?${a}.length:$length(${a}${names}))`;
  if (op === '~') return `(${setup}${atLine(line)}(${a}|0)===${a}?~${a}:$bits("bnot",${a},${a}${names}))`;
  if (isNumber(operand)) return `(${setup}-${a})`;
  return `(${setup}${atLine(line)}typeof ${a}==='number'?-${a}:$arith("unm",${a},${a}${names}))`;
}
