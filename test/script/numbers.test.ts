import t from 'tap';
import {
  type BitOperator,
  bitwise,
  isBitOperand,
  isExactInteger,
  numberToString,
  parseNumber,
} from '../../src/script/numbers.js';
import { random } from '../support/random.js';

t.test('numbers print as scripts expect', async (t) => {
  const cases: [n: number, text: string][] = [
    [0, '0'],
    [-0, '0'],
    [1002.0, '1002'],
    [13800138000, '13800138000'],
    [2 ** 53, '9007199254740992'],
    [-(2 ** 53), '-9007199254740992'],
    [2 ** 53 + 2, '9.007199254741e+15'],
    [0.1, '0.1'],
    [1 / 3, '0.33333333333333'],
    [-2 / 3, '-0.66666666666667'],
    [Math.PI, '3.1415926535898'],
    [1e-5, '1e-05'],
    [0.0001, '0.0001'],
    [1e100, '1e+100'],
    [1e22, '1e+22'],
    [5e-324, '4.9406564584125e-324'],
    [1234567890123.25, '1234567890123.2'],
    [Number.NaN, 'nan'],
    [Number.POSITIVE_INFINITY, 'inf'],
    [Number.NEGATIVE_INFINITY, '-inf'],
  ];
  for (const [n, text] of cases) t.equal(numberToString(n), text);
});

t.test('numerals are read as Lua reads them', async (t) => {
  const cases: [text: string, n: number | undefined][] = [
    ['10', 10],
    [' \t-1.5e3\n', -1500],
    ['.5', 0.5],
    ['5.', 5],
    ['0x10', 16],
    ['-0xA.8p1', -21],
    ['0x.1', 0.0625],
    ['0x0p99999', 0],
    ['1e400', Number.POSITIVE_INFINITY],
    ['', undefined],
    ['.', undefined],
    ['0x', undefined],
    ['1 2', undefined],
    ['1e', undefined],
    ['inf', undefined],
    ['nan', undefined],
    ['Infinity', undefined],
    ['1_000', undefined],
    ['0b1', undefined],
    ['\xa01', undefined],
  ];
  for (const [text, n] of cases) t.equal(parseNumber(text), n, JSON.stringify(text));
});

t.test('bitwise operators are 64-bit two’s complement where doubles are exact', async (t) => {
  const cases: [operator: BitOperator, a: number, b: number, result: number][] = [
    ['bnot', 0, 0, -1],
    ['bnot', 0xffffffff, 0, -4294967296],
    ['band', 0xffffffff, -1, 0xffffffff],
    ['band', -4294967296, 0xffffffff, 0],
    ['bor', 2 ** 40, 1, 2 ** 40 + 1],
    ['bxor', 2 ** 52 + 5, 2 ** 52 + 3, 6],
    ['shl', 200, 24, 3355443200],
    ['shl', 1, 63, -(2 ** 63)],
    ['shl', 1, 64, 0],
    ['shl', 256, -8, 1],
    ['shr', 0xff00, 8, 0xff],
    ['shr', -1, 63, 1],
    ['shr', -1, 32, 0xffffffff],
    ['shr', 1, -4, 16],
    ['shr', 5, 0, 5],
  ];
  for (const [operator, a, b, result] of cases) {
    t.equal(bitwise(operator, a, b), result, `${operator} ${a} ${b}`);
  }
});

t.test('bitwise operators agree with BigInt', async (t) => {
  const r = random(t);
  const operand = () => {
    const n = (r.below(2 ** 32) * 2 ** 21 + r.below(2 ** 21)) / 2 ** r.below(54);
    return Math.trunc(r.below(2) ? n : -n) + 0;
  };
  const exact: Record<string, (a: bigint, b: bigint) => bigint> = {
    band: (a, b) => a & b,
    bor: (a, b) => a | b,
    bxor: (a, b) => a ^ b,
    bnot: (a) => ~a,
    shl: (a, b) => a << (b & 63n),
    shr: (a, b) => BigInt.asUintN(64, a) >> (b & 63n),
  };
  for (let i = 0; i < 5000; i++) {
    const operator = r.pick(Object.keys(exact)) as BitOperator;
    const a = operand();
    const b = operator.startsWith('sh') ? r.below(64) : operand();
    const expected = Number(BigInt.asIntN(64, exact[operator]!(BigInt(a), BigInt(b))));
    if (bitwise(operator, a, b) !== expected)
      t.equal(bitwise(operator, a, b), expected, `${operator} ${a} ${b}`);
  }
  t.equal(isBitOperand(1.5), false);
  t.equal(isBitOperand(2 ** 63), true);
  t.equal(isBitOperand(2 ** 64), false);
  t.equal(isExactInteger(2 ** 53), true);
  t.equal(isExactInteger(2 ** 53 + 2), false);
});
