/** Which local a name means, at the place it is written. */

import type { Expression, FunctionScope, Local } from './ast.js';
import { SyntaxProblem } from './problem.js';

/** Names that only a full VM can give. A module that uses one of these globals runs in Fengari. */
const REFUSED = new Set([
  'coroutine',
  'load',
  'loadstring',
  'debug',
  'dofile',
  'loadfile',
  '_ENV',
  'package',
]);

export class Scopes {
  private current: FunctionScope = { isVararg: true };
  private blocks: Map<string, Local>[] = [];
  private count = 0;

  constructor(private readonly chunk: string) {}

  get function(): FunctionScope {
    return this.current;
  }

  /** Parses a function's inside. */
  inFunction<T>(isVararg: boolean, body: () => T): T {
    const outer = this.current;
    this.current = { isVararg };
    try {
      return this.inBlock(body);
    } finally {
      this.current = outer;
    }
  }

  inBlock<T>(body: () => T): T {
    this.blocks.push(new Map());
    try {
      return body();
    } finally {
      this.blocks.pop();
    }
  }

  /** Declares a local from here to the end of the block. */
  declare(name: string): Local {
    const local = {
      name,
      id: ++this.count,
      owner: this.current,
      assigned: false,
      numeric: false,
      single: false,
      isFunction: false,
    };
    this.blocks.at(-1)!.set(name, local);
    return local;
  }

  /** A name that is read or, with `assigns`, written. */
  resolve(name: string, line: number, assigns = false): Expression {
    for (let i = this.blocks.length - 1; i >= 0; i--) {
      const local = this.blocks[i]!.get(name);
      if (!local) continue;
      if (assigns) local.assigned = true;
      return { kind: 'local', local, line };
    }
    if (REFUSED.has(name)) throw new SyntaxProblem(`${this.chunk}:${line}: '${name}' is not compiled`);
    return { kind: 'global', name, line };
  }
}
