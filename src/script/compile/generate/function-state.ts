/** What the generator keeps for the function it is in. */

import type { FunctionScope } from '../syntax/ast.js';

/** A label that `goto` can reach from here, and the JavaScript that does. */
export interface Target {
  readonly name: string;
  readonly jump: string;
}

export class FunctionState {
  /** Labels in reach, the innermost last. */
  readonly targets: Target[] = [];
  /** JavaScript labels of the loops around, the innermost last. */
  readonly loops: string[] = [];
  private used = 0;
  private most = 0;

  constructor(readonly scope: FunctionScope) {}

  /** A variable for an intermediate value, until {@link release}. */
  temporary(): string {
    this.most = Math.max(this.most, ++this.used);
    return `t${this.used}`;
  }

  get mark(): number {
    return this.used;
  }

  release(mark: number): void {
    this.used = mark;
  }

  /** Declares all temporaries. */
  get declarations(): string {
    if (this.most === 0) return '';
    return `let ${Array.from({ length: this.most }, (_, i) => `t${i + 1}`).join(',')};`;
  }
}
