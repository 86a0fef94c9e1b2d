/** Random programs over the compiled grammar: small values, many operators, every error caught and printed. */

import type { Random } from '../../support/random.js';

/** Those that keep numbers small, whole and exact. */
const BINARY = ['+', '-', '&', '|', '~', '.. "s" ..', '==', '~=', '<', '<=', '>', '>=', 'and', 'or'];
/** Those that may give fractions; no `..`, which writes whole floats in another way. */
const FRACTIONS = ['+', '-', '/', '&', '==', '~=', '<', '<=', 'and', 'or'];
/** With a literal on the right, so that nothing grows fast or is divided by zero. */
const SCALING = ['* 3', '// 2', '// -3', '% 5', '% -4', '<< 2'];
const LIBRARY = ['#tostring', 'type', 'rawlen', 'math.abs'];

/** Strings that arithmetic takes for numbers, and fractions. */
const NUMERALS = [
  '"10"',
  '"0x1F"',
  '"3.5"',
  '" 7 "',
  '"-2"',
  '"1e1"',
  '"0x.8"',
  '2.5',
  '0.1',
  '-0.75',
  '"1e"',
  '"0x"',
];

class Writer {
  private readonly locals: string[] = ['a', 'b'];
  private depth = 0;
  private labels = 0;

  constructor(
    private readonly rng: Random,
    private readonly numerals: boolean,
  ) {}

  program(): string {
    return `local a, b, t = ${this.literal()}, ${this.literal()}, { 1, 2, x = 3 }\n${this.block(5)}print(a, b, #t, t.x, t[1])`;
  }

  private literal(): string {
    const { rng } = this;
    return rng.pick([
      String(rng.below(20)),
      `-${1 + rng.below(9)}`,
      '"x"',
      this.numerals ? rng.pick(NUMERALS) : '"y"',
      'nil',
      'true',
      'false',
      '0',
      '255',
      '"abc"',
    ]);
  }

  private name(): string {
    return this.rng.pick(this.locals);
  }

  private expression(depth = 0): string {
    const { rng } = this;
    if (depth > 3) return rng.below(2) ? this.name() : this.literal();
    const sub = () => this.expression(depth + 1);
    switch (rng.below(12)) {
      case 0:
      case 1:
        return this.literal();
      case 2:
      case 3:
        return this.name();
      case 4:
        return `(${rng.pick(['- ', 'not ', '#', '~'])}${sub()})`;
      case 5:
        return `t[${sub()}]`;
      case 6:
        return `t.${rng.pick(['x', 'y'])}`;
      case 7:
        return `(function(...) local p, q = ... return ${rng.pick(['p', 'q, p', '...', 'select("#", ...)'])} end)(${sub()}, ${sub()})`;
      case 8:
        return rng.below(2) ? `(${sub()} ${rng.pick(SCALING)})` : `${rng.pick(LIBRARY)}(${sub()})`;
      default:
        return `(${sub()} ${rng.pick(this.numerals ? FRACTIONS : BINARY)} ${sub()})`;
    }
  }

  private block(size: number): string {
    let text = '';
    const known = this.locals.length;
    for (let n = 1 + this.rng.below(size); n > 0; n--) text += `${this.statement()}\n`;
    this.locals.length = known;
    return text;
  }

  private statement(): string {
    if (++this.depth > 4) {
      this.depth--;
      return `a = ${this.expression()}`;
    }
    const text = this.compound();
    this.depth--;
    return text;
  }

  private compound(): string {
    const { rng } = this;
    switch (rng.below(13)) {
      case 0: {
        const value = this.expression();
        const name = `v${this.locals.length}`;
        this.locals.push(name);
        return `local ${name} = ${value}`;
      }
      case 1:
        return `a, b = ${this.expression()}, ${this.expression()}`;
      case 2:
        return `t[${1 + rng.below(3)}] = ${rng.below(3) ? 'a' : rng.below(9)} or 1`;
      case 3:
        return `t.${rng.pick(['x', 'y'])} = ${this.expression()}`;
      case 4:
        return `if ${this.expression()} then\n${this.block(3)}else\n${this.block(2)}end`;
      case 5:
        return `for i = 1, ${rng.below(4)} do\n${this.block(2)}if ${this.expression()} then break end\nend`;
      case 6: {
        const label = `c${++this.labels}`;
        return `for i = 1, 3 do\nif ${this.expression()} then goto ${label} end\nprint(i) ::${label}::\nend`;
      }
      case 7:
        return `print(pcall(function(...) ${this.block(2)} return ${this.expression()} end, ${this.expression()}))`;
      case 8:
        return `for k, v in ipairs(t) do print(k, type(v)) end`;
      case 9:
        return `do local n = 0 repeat n = n + 1 ${this.block(1)}until n > 2 or ${this.expression()} end`;
      case 10:
        return `do local function f(x, y) if x == 0 then return y end return f(x - 1, ${this.expression()}) end print(f(2, b)) end`;
      default:
        return `print(${this.expression()})`;
    }
  }
}

/**
 * A program that ends soon. What it prints does not depend on how numbers are represented; `numerals`: but for whether
 * floats that are whole are printed with a fraction.
 */
export function randomProgram(rng: Random, numerals: boolean): string {
  return new Writer(rng, numerals).program();
}
