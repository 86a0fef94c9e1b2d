/** Statements, blocks and functions as JavaScript. */

import type { Block, Expression, FunctionBody, Local, Statement } from '../syntax/ast.js';
import { SyntaxProblem } from '../syntax/problem.js';
import { Constants } from './constants.js';
import { blockCost, expressionCost } from './cost.js';
import { ExpressionGenerator } from './expressions.js';
import { FunctionState } from './function-state.js';
import { regionsOf } from './goto.js';
import { infer } from './infer.js';
import { isNumber, isOpen } from './kinds.js';
import { atLine, layOut } from './lines.js';
import { functionName, localName } from './literals.js';

/** The body of a function that returns the chunk as a compiled function; its parameters are the runtime's names. */
export function generate(chunk: FunctionBody, name: string): string {
  infer(chunk);
  const generator = new StatementGenerator(name);
  const text = layOut(generator.functionText(chunk));
  return `"use strict";${generator.constants.text}return ${text};`;
}

/** A loop of so many steps in all is counted before it begins. */
const MAX_AHEAD = 1000;

class StatementGenerator {
  private state!: FunctionState;
  private labels = 0;
  readonly constants = new Constants();
  private readonly expressions = new ExpressionGenerator(
    () => this.state,
    (body) => this.functionText(body),
    this.constants,
  );

  constructor(private readonly chunk: string) {}

  functionText(body: FunctionBody): string {
    const outer = this.state;
    this.state = new FunctionState(body.scope);
    const params = [...body.params.map(localName), ...(body.scope.isVararg ? ['...va'] : [])];
    const block = this.block(body.block);
    const entry = this.charge(1 + blockCost(body.block));
    const text = `${atLine(body.line)}function ${functionName(body.name)}(${params}){${this.state.declarations}${entry}${block}return $none;}`;
    this.state = outer;
    return text;
  }

  private charge(steps: number): string {
    return `if(($M.fuel-=${steps})<0)$M.refill();`;
  }

  private block(block: Block): string {
    const regions = regionsOf(block, this.chunk);
    let text = '';
    block.forEach((statement, i) => {
      for (const region of regions) if (region.end === i) text += this.close();
      for (const region of regions) {
        if (region.start !== i) continue;
        const label = `G${++this.labels}`;
        if (region.isLoop) {
          this.state.targets.push({ name: region.label, jump: `continue ${label};` });
          this.endings.push(`break ${label};}`);
          text += `${label}:while(true){${this.charge(1 + blockCost(block.slice(i)))}`;
        } else {
          this.state.targets.push({ name: region.label, jump: `break ${label};` });
          this.endings.push('}');
          text += `${label}:{`;
        }
      }
      text += this.statement(statement);
    });
    for (const region of regions) if (region.end >= block.length) text += this.close();
    return text;
  }

  private readonly endings: string[] = [];

  private close(): string {
    this.state.targets.pop();
    return this.endings.pop()!;
  }

  private statement(statement: Statement): string {
    const text = this.statementText(statement);
    this.state.release(0);
    return atLine(statement.line) + text;
  }

  private statementText(statement: Statement): string {
    const { expressions } = this;
    switch (statement.kind) {
      case 'local':
        return this.local(statement.locals, statement.values);
      case 'assign':
        return this.assign(statement.targets, statement.values);
      case 'call':
        return `${expressions.results(statement.call)};`;
      case 'localfunction':
        return `${keyword(statement.local)} ${localName(statement.local)}=${this.functionText(statement.body)};`;
      case 'do':
        return `{${this.block(statement.block)}}`;
      case 'while': {
        const cost = this.charge(1 + expressionCost(statement.condition) + blockCost(statement.block));
        const condition = this.condition(statement.condition);
        return this.loop((label) => `${label}:while(${condition}){${cost}${this.block(statement.block)}}`);
      }
      case 'repeat': {
        const cost = this.charge(1 + expressionCost(statement.condition) + blockCost(statement.block));
        return this.loop((label) => {
          const block = this.block(statement.block);
          return `${label}:while(true){${cost}${block}if(${this.condition(statement.condition)})break;}`;
        });
      }
      case 'if': {
        const branches = statement.branches.map(
          ({ condition, block }) => `if(${this.condition(condition)}){${this.block(block)}}`,
        );
        const otherwise = statement.otherwise ? `else{${this.block(statement.otherwise)}}` : '';
        return branches.join('else ') + otherwise;
      }
      case 'fornum':
        return this.numericFor(statement);
      case 'forin':
        return this.genericFor(statement);
      case 'return':
        return this.returned(statement.values);
      case 'break':
        return `break ${this.state.loops.at(-1)};`;
      case 'goto': {
        const target = this.state.targets.findLast(({ name }) => name === statement.name);
        if (target) return target.jump;
        throw new SyntaxProblem(
          `${this.chunk}:${statement.line}: no visible label '${statement.name}' for <goto>`,
        );
      }
      case 'label':
        return '';
    }
  }

  private condition(e: Expression): string {
    const text = this.expressions.condition(e);
    this.state.release(0);
    return text;
  }

  private loop(body: (label: string) => string): string {
    const label = `B${++this.labels}`;
    this.state.loops.push(label);
    const text = body(label);
    this.state.loops.pop();
    return text;
  }

  private returned(values: readonly Expression[]): string {
    if (values.length === 0) return 'return $none;';
    if (values.length === 1) return `return (${this.expressions.results(values[0]!)});`;
    return `return [${this.expressions.list(values)}];`;
  }

  private local(locals: readonly Local[], values: readonly Expression[]): string {
    if (
      values.length <= locals.length &&
      !(values.length < locals.length && values.length > 0 && isOpen(values.at(-1)!))
    ) {
      return locals
        .map((local, i) => {
          const value = values[i];
          // All values are evaluated before the first of the new locals is in scope: their names are new.
          return `${keyword(local)} ${localName(local)}=${value ? this.expressions.value(value) : 'undefined'};`;
        })
        .join('');
    }
    const t = this.state.temporary();
    return `${t}=${this.array(values)};${locals.map((local, i) => `${keyword(local)} ${localName(local)}=${t}[${i}];`).join('')}`;
  }

  private assign(targets: readonly Expression[], values: readonly Expression[]): string {
    if (targets.length === 1 && values.length === 1) {
      return `${this.store(targets[0]!, () => this.expressions.value(values[0]!))};`;
    }
    // Lua assigns the last first, which the order of a table's keys shows.
    const places = targets.map((target) => {
      if (target.kind !== 'index')
        return { setup: '', store: (value: string) => this.store(target, () => value) };
      const object = this.expressions.value(target.object);
      const o = this.state.temporary();
      if (target.key.kind === 'string') {
        const name = this.expressions.named(target.object);
        return {
          setup: `${o}=${object};`,
          store: (value: string) => this.expressions.store(o, target.key, value, name),
        };
      }
      const key = this.expressions.value(target.key);
      const k = this.state.temporary();
      return {
        setup: `${o}=${object};${k}=${key};`,
        store: (value: string) => `$setIndex(${o},${k},${value}${this.expressions.named(target.object)})`,
      };
    });
    const setup = places.map((place) => place.setup).join('');
    let evaluated = '';
    let results: string[];
    if (values.length === targets.length && !isOpen(values.at(-1)!)) {
      results = values.map((value) => {
        const text = this.expressions.value(value);
        const t = this.state.temporary();
        evaluated += `${t}=${text};`;
        return t;
      });
    } else {
      const list = this.array(values);
      const t = this.state.temporary();
      evaluated = `${t}=${list};`;
      results = targets.map((_, i) => `${t}[${i}]`);
    }
    const stores = places.map((place, i) => `${place.store(results[i]!)};`).reverse();
    return setup + evaluated + stores.join('');
  }

  /** An array of all values, the last expanded. */
  private array(values: readonly Expression[]): string {
    return values.length === 1 && isOpen(values[0]!)
      ? `$many(${this.expressions.results(values[0]!)})`
      : `[${this.expressions.list(values)}]`;
  }

  private store(target: Expression, value: () => string): string {
    if (target.kind === 'local') return `${localName(target.local)}=${value()}`;
    if (target.kind === 'global') return `$setField($G,${this.constants.writing(target.name)},${value()})`;
    if (target.kind !== 'index') throw new Error('the parser lets no other target through');
    const { expressions } = this;
    return expressions.store(
      expressions.value(target.object),
      target.key,
      value(),
      expressions.named(target.object),
    );
  }

  private numericFor({ local, from, to, step, block }: Extract<Statement, { kind: 'fornum' }>): string {
    const id = ++this.labels;
    const [i, limit, by] = [`i${id}`, `l${id}`, `s${id}`];
    const number = (e: Expression, what: string) => {
      const text = this.expressions.value(e);
      this.state.release(0);
      return isNumber(e) ? text : `$forNumber(${text},"${what}")`;
    };
    const constant = step === undefined ? 1 : step.kind === 'number' ? step.value : undefined;
    const setup = `const ${i}_=${number(from, 'initial value')},${limit}=${number(to, 'limit')}${constant === undefined ? `,${by}=${number(step!, 'step')}` : ''};`;
    const test =
      constant === undefined
        ? `${by}>0?${i}<=${limit}:${limit}<=${i}`
        : constant > 0
          ? `${i}<=${limit}`
          : `${limit}<=${i}`;
    const steps = 1 + blockCost(block);
    const turns = turnsOf(from, to, constant);
    const isShort = turns * steps <= MAX_AHEAD;
    const ahead = isShort ? this.charge(turns * steps) : '';
    const cost = isShort ? '' : this.charge(steps);
    const name = localName(local);
    const text = this.loop(
      (label) =>
        `${label}:for(let ${i}=${i}_;${test};${i}+=${constant === undefined ? by : `(${constant})`}){${keyword(local)} ${name}=${i};${cost}${this.block(block)}}`,
    );
    return `{${setup}${ahead}${text}}`;
  }

  private genericFor({ locals, values, block }: Extract<Statement, { kind: 'forin' }>): string {
    const it = `it${++this.labels}`;
    const start = `$iterate(${this.array(values)})`;
    this.state.release(0);
    const declared = locals.map((local, i) => {
      const value = locals.length > 2 ? `${it}.rest()[${i}]` : `${it}.${i === 0 ? 'a' : 'b'}`;
      return `${keyword(local)} ${localName(local)}=${value};`;
    });
    const cost = this.charge(2 + blockCost(block));
    const text = this.loop(
      (label) => `${label}:while(${it}.next()){${cost}${declared.join('')}${this.block(block)}}`,
    );
    return `{const ${it}=${start};${text}}`;
  }
}

/** How often a loop with constant bounds goes round; infinity for all others, and where its counter is not exact. */
function turnsOf(from: Expression, to: Expression, step: number | undefined): number {
  if (from.kind !== 'number' || to.kind !== 'number' || step === undefined) return Number.POSITIVE_INFINITY;
  const isExact = [from.value, to.value, step].every((n) => Number.isInteger(n) && Math.abs(n) < 2 ** 52);
  return isExact ? Math.max(0, Math.floor((to.value - from.value) / step) + 1) : Number.POSITIVE_INFINITY;
}

function keyword(local: Local): string {
  return local.assigned ? 'let' : 'const';
}
