/** How many steps a piece of code counts as: about Lua's instructions, by the longest way through it. */

import type { Block, Expression, Statement } from '../syntax/ast.js';

export function blockCost(block: Block): number {
  return block.reduce((sum, statement) => sum + statementCost(statement), 0);
}

const sum = (list: readonly Expression[]): number => list.reduce((total, e) => total + expressionCost(e), 0);

function statementCost(statement: Statement): number {
  switch (statement.kind) {
    case 'local':
    case 'return':
      return 1 + sum(statement.values);
    case 'assign':
      return 1 + sum(statement.targets) + sum(statement.values);
    case 'call':
      return expressionCost(statement.call);
    case 'do':
      return blockCost(statement.block);
    case 'if': {
      const branches = statement.branches.map((b) => blockCost(b.block));
      const conditions = statement.branches.map((b) => expressionCost(b.condition));
      return (conditions[0] ?? 0) + 1 + Math.max(...branches, blockCost(statement.otherwise ?? []));
    }
    // A loop's body counts each time round.
    case 'while':
    case 'repeat':
      return 1;
    case 'fornum':
      return 4;
    case 'forin':
      return 3 + sum(statement.values);
    default:
      return 1;
  }
}

export function expressionCost(e: Expression): number {
  switch (e.kind) {
    case 'index':
      return 1 + expressionCost(e.object) + expressionCost(e.key);
    case 'call':
      return 2 + expressionCost(e.callee) + sum(e.args);
    case 'binary':
      return 1 + expressionCost(e.left) + expressionCost(e.right);
    case 'unary':
      return 1 + expressionCost(e.operand);
    case 'paren':
      return expressionCost(e.inner);
    case 'table':
      return (
        1 + e.items.reduce((total, { key, value }) => total + 1 + (key ? 1 : 0) + expressionCost(value), 0)
      );
    case 'local':
      return 0;
    default:
      return 1;
  }
}
