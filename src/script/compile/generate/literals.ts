/** JavaScript text of Lua's literals and names. Nothing a script writes gets through but letters, digits and `_`. */

import type { Local } from '../syntax/ast.js';

/** A string literal: everything but plain ASCII is escaped, so no byte can end it or the line. */
export function stringLiteral(text: string): string {
  const escaped = text.replace(
    /[^\x20-\x7e]|["\\]/g,
    (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
  return `"${escaped}"`;
}

export function numberLiteral(n: number): string {
  if (n === Number.POSITIVE_INFINITY) return '(1/0)';
  if (n === Number.NEGATIVE_INFINITY) return '(-1/0)';
  return n < 0 ? `(${n})` : String(n);
}

/** A function's own name, for stacks. No name of the runtime begins so: it must not hide one from the function's body. */
export function functionName(name: string): string {
  return `$$${name}`;
}

/** A local's name. Its number keeps it apart from all others and from JavaScript's words. */
export function localName({ name, id }: Local): string {
  return `${name}_${id}`;
}
