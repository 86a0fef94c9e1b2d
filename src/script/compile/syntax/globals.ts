/**
 * Which globals a module uses, against those that compiled code has. A module is only compiled when it finds there all
 * that Fengari would give it, and changes nothing that its entry script would see.
 */

import type { LuaValue } from '../../executor.js';
import { LuaTable } from '../runtime/table.js';
import type { Block, Expression } from './ast.js';
import { SyntaxProblem } from './problem.js';

/** The part of `mix` that is missing here may be there for entry scripts: it is never used but by its fields. */
const PARTIAL = 'mix';
/** The tree's parts that name locals and functions' scopes, which lead back into it. */
const NOT_TREE = new Set(['local', 'locals', 'params', 'scope']);

interface Node {
  readonly kind?: string;
  readonly line?: number;
}

/** Throws {@link SyntaxProblem} at the first use of a global that keeps the module from being compiled. */
export function checkGlobals(block: Block, chunk: string, globals: LuaTable): void {
  const refuse = (line: number | undefined, what: string): never => {
    throw new SyntaxProblem(`${chunk}:${line ?? 1}: ${what}`);
  };

  /** The value that constant fields of a global lead to, and how it is written; undefined for all other expressions. */
  const known = (node: Expression): { value: LuaValue; path: string } | undefined => {
    if (node.kind === 'global') {
      const value = globals.getString(node.name);
      if (node.name === '_G' || value === undefined)
        refuse(node.line, `the global '${node.name}' is not compiled`);
      return { value, path: node.name };
    }
    if (node.kind !== 'index' || node.key.kind !== 'string') return undefined;
    const object = known(node.object);
    if (!(object?.value instanceof LuaTable)) return undefined;
    const path = `${object.path}.${node.key.value}`;
    const value = object.value.getString(node.key.value);
    if (value === undefined) refuse(node.line, `'${path}' is not compiled`);
    return { value, path };
  };

  const walk = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return;
    if (Array.isArray(node)) {
      node.forEach(walk);
      return;
    }
    const { kind, line } = node as Node;
    if (kind === 'assign') {
      for (const target of (node as { targets: readonly Expression[] }).targets) {
        if (target.kind === 'global') refuse(line, `it sets the global '${target.name}'`);
        if (target.kind === 'index' && known(target.object)?.value instanceof LuaTable)
          refuse(line, `it changes '${known(target.object)!.path}'`);
      }
    }
    if (kind === 'global' || kind === 'index') {
      const found = known(node as Expression);
      if (found?.path === PARTIAL) refuse(line, `'${PARTIAL}' is used other than by its fields`);
      if (found !== undefined) return;
    }
    for (const [name, part] of Object.entries(node)) if (!NOT_TREE.has(name)) walk(part);
  };
  walk(block);
}
