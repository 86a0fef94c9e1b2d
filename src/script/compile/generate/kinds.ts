/** What can be told of an expression before it runs. */

import type { Call, Expression, Local } from '../syntax/ast.js';

const ARITHMETIC: Record<string, string> = {
  '+': 'add',
  '-': 'sub',
  '*': 'mul',
  '/': 'div',
  '%': 'mod',
  '^': 'pow',
  '//': 'idiv',
};
const BITS: Record<string, string> = { '&': 'band', '|': 'bor', '~': 'bxor', '<<': 'shl', '>>': 'shr' };

export function isBitOperator(op: string): boolean {
  return op in BITS;
}

/** The name of an operator's metamethod when it computes; undefined for other operators. */
export function arithmeticEvent(op: string): string | undefined {
  return ARITHMETIC[op] ?? BITS[op];
}

/** Whether it may stand for several values. */
export function isOpen(e: Expression): boolean {
  return e.kind === 'vararg' || (e.kind === 'call' && !isSingle(e));
}

/** A call of a function that is known to return one value. */
function isSingle({ callee, method }: Call): boolean {
  return method === undefined && callee.kind === 'local' && isKnown(callee.local) && callee.local.single;
}

export function isComparison(op: string): boolean {
  return ['==', '~=', '<', '<=', '>', '>='].includes(op);
}

/** Whether it always gives a boolean. */
export function isCondition(e: Expression): boolean {
  if (e.kind === 'paren') return isCondition(e.inner);
  if (e.kind === 'true' || e.kind === 'false') return true;
  if (e.kind === 'unary') return e.op === 'not';
  if (e.kind !== 'binary') return false;
  if (e.op === 'and' || e.op === 'or') return isCondition(e.left) && isCondition(e.right);
  return isComparison(e.op);
}

/** Whether it is neither nil nor false, whatever happens. */
export function isTrue(e: Expression): boolean {
  if (e.kind === 'paren') return isTrue(e.inner);
  return (e.kind !== 'false' && isNeverNil(e)) || isNumber(e);
}

/** Locals and numbers with a few operators: what may as well be evaluated in two places. */
export function isSmall(e: Expression, depth = 0): boolean {
  switch (e.kind) {
    case 'local':
    case 'number':
      return true;
    case 'paren':
      return isSmall(e.inner, depth);
    case 'unary':
      return depth < 2 && e.op !== 'not' && isSmall(e.operand, depth + 1);
    case 'binary':
      return (
        depth < 2 &&
        arithmeticEvent(e.op) !== undefined &&
        isSmall(e.left, depth + 1) &&
        isSmall(e.right, depth + 1)
      );
    default:
      return false;
  }
}

export function isNeverNil(e: Expression): boolean {
  return ['true', 'false', 'number', 'string', 'function', 'table'].includes(e.kind);
}

/** Whether a number always comes out. */
export function isNumber(e: Expression): boolean {
  switch (e.kind) {
    case 'number':
      return true;
    case 'local':
      return e.local.numeric;
    case 'paren':
      return isNumber(e.inner);
    case 'unary':
      return (e.op === '-' || e.op === '~') && isNumber(e.operand);
    case 'binary':
      if (e.op === 'and') return isNumber(e.left) && isNumber(e.right);
      if (e.op === 'or') return isNumber(e.right) && (isNumber(e.left) || isChosenNumber(e.left));
      return arithmeticEvent(e.op) !== undefined && isNumber(e.left) && isNumber(e.right);
    default:
      return false;
  }
}

/** `condition and number`: a number, or false for the `or` behind it. */
function isChosenNumber(e: Expression): boolean {
  if (e.kind === 'paren') return isChosenNumber(e.inner);
  return e.kind === 'binary' && e.op === 'and' && isNumber(e.right);
}

/** A local that is a function for sure: declared as one and never assigned to. */
export function isKnown(local: Local): boolean {
  return local.isFunction && !local.assigned;
}
