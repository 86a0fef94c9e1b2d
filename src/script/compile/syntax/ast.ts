/** Lua 5.3 as a tree. Names are resolved while they are parsed: a name is a {@link Local} or a global. */

/** A local variable or parameter. */
export interface Local {
  readonly name: string;
  /** Unlike that of any other local of the module. */
  readonly id: number;
  /** The function that declares it. */
  readonly owner: FunctionScope;
  /** Assigned to after its declaration. */
  assigned: boolean;
  /** Always a number; told by `../generate/infer.ts`. */
  numeric: boolean;
  /** A function that always returns one value; told there too. */
  single: boolean;
  /** Declared by `local function`. */
  isFunction: boolean;
}

/** What is known of a function while it is parsed. */
export interface FunctionScope {
  readonly isVararg: boolean;
}

export type BinaryOperator =
  | '+'
  | '-'
  | '*'
  | '/'
  | '//'
  | '%'
  | '^'
  | '&'
  | '|'
  | '~'
  | '<<'
  | '>>'
  | '..'
  | '=='
  | '~='
  | '<'
  | '<='
  | '>'
  | '>='
  | 'and'
  | 'or';

export type UnaryOperator = '-' | 'not' | '#' | '~';

export type Expression = { readonly line: number } & (
  | { readonly kind: 'nil' | 'true' | 'false' | 'vararg' }
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'local'; readonly local: Local }
  | { readonly kind: 'global'; readonly name: string }
  | { readonly kind: 'index'; readonly object: Expression; readonly key: Expression }
  | Call
  | { readonly kind: 'function'; readonly body: FunctionBody }
  | {
      readonly kind: 'binary';
      readonly op: BinaryOperator;
      readonly left: Expression;
      readonly right: Expression;
    }
  | { readonly kind: 'unary'; readonly op: UnaryOperator; readonly operand: Expression }
  | { readonly kind: 'paren'; readonly inner: Expression }
  | TableConstructor
);

/** `callee(args)`, or `callee:method(args)`. */
export interface Call {
  readonly kind: 'call';
  readonly callee: Expression;
  readonly method: string | undefined;
  readonly args: readonly Expression[];
  readonly line: number;
}

export interface TableConstructor {
  readonly kind: 'table';
  /** Elements without a key are numbered. */
  readonly items: readonly { readonly key: Expression | undefined; readonly value: Expression }[];
  readonly line: number;
}

export interface FunctionBody {
  readonly scope: FunctionScope;
  readonly name: string;
  readonly params: readonly Local[];
  readonly block: Block;
  readonly line: number;
}

export type Block = readonly Statement[];

export type Statement = { readonly line: number } & (
  | { readonly kind: 'local'; readonly locals: readonly Local[]; readonly values: readonly Expression[] }
  | {
      readonly kind: 'assign';
      readonly targets: readonly Expression[];
      readonly values: readonly Expression[];
    }
  | { readonly kind: 'call'; readonly call: Expression }
  | { readonly kind: 'localfunction'; readonly local: Local; readonly body: FunctionBody }
  | { readonly kind: 'do'; readonly block: Block }
  | { readonly kind: 'while'; readonly condition: Expression; readonly block: Block }
  | { readonly kind: 'repeat'; readonly block: Block; readonly condition: Expression }
  | {
      readonly kind: 'if';
      readonly branches: readonly { readonly condition: Expression; readonly block: Block }[];
      readonly otherwise: Block | undefined;
    }
  | {
      readonly kind: 'fornum';
      readonly local: Local;
      readonly from: Expression;
      readonly to: Expression;
      readonly step: Expression | undefined;
      readonly block: Block;
    }
  | {
      readonly kind: 'forin';
      readonly locals: readonly Local[];
      readonly values: readonly Expression[];
      readonly block: Block;
    }
  | { readonly kind: 'return'; readonly values: readonly Expression[] }
  | { readonly kind: 'break' }
  | { readonly kind: 'goto' | 'label'; readonly name: string }
);
