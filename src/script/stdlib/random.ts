/** xoshiro128** 1.1 by Blackman and Vigna (public domain): a good small generator with a state of its own. */

import { randomBytes } from 'node:crypto';

/** One generator; not for secrets. */
export class Random {
  private a = 0;
  private b = 0;
  private c = 0;
  private d = 0;

  /** Starts from entropy of the operating system. */
  constructor() {
    const bytes = randomBytes(16);
    this.setState([0, 4, 8, 12].map((at) => bytes.readInt32LE(at)));
  }

  /** Starts again from a number: the same number gives the same sequence. */
  seed(n: number): void {
    const view = new DataView(new ArrayBuffer(8));
    view.setFloat64(0, n);
    let mix = view.getInt32(0) ^ Math.imul(view.getInt32(4), 0x9e3779b1);
    // SplitMix32 spreads the seed over the state.
    const next = () => {
      mix = (mix + 0x9e3779b9) | 0;
      let z = Math.imul(mix ^ (mix >>> 16), 0x21f0aaad);
      z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
      return z ^ (z >>> 15);
    };
    this.setState([next(), next(), next(), next()]);
  }

  /** A float in [0, 1) with 53 random bits. */
  next(): number {
    const high = this.bits() >>> 5;
    const low = this.bits() >>> 6;
    return (high * 2 ** 26 + low) / 2 ** 53;
  }

  private setState([a, b, c, d]: number[]): void {
    this.a = a! | 0;
    this.b = b! | 0;
    this.c = c! | 0;
    // A state of zeros would stay so for ever.
    this.d = d! | (a || b || c ? 0 : 1);
  }

  private bits(): number {
    const result = Math.imul(rotate(Math.imul(this.b, 5), 7), 9);
    const shifted = this.b << 9;
    this.c ^= this.a;
    this.d ^= this.b;
    this.b ^= this.c;
    this.a ^= this.d;
    this.c ^= shifted;
    this.d = rotate(this.d, 11);
    return result;
  }
}

function rotate(value: number, by: number): number {
  return (value << by) | (value >>> (32 - by));
}
