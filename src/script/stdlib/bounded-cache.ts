/** A small cache for what is compiled from strings that scripts write: patterns and pack formats. */

import type { Executor } from '../executor.js';

/** Longest key that is kept; longer ones are compiled each time. */
const MAX_KEY = 128;
/** Native steps counted for each byte that is compiled. */
const STEPS_PER_BYTE = 8;

/** Keeps the latest `capacity` values by the string they were made from; the oldest makes room. */
export class BoundedCache<Value> {
  private readonly entries = new Map<string, Value>();

  constructor(
    private readonly make: (key: string) => Value,
    private readonly capacity = 64,
  ) {}

  /** The value for `key`; making it is charged to the running callback. */
  get(ex: Executor, key: string): Value {
    const known = this.entries.get(key);
    if (known !== undefined) return known;
    ex.charge(key.length * STEPS_PER_BYTE);
    const made = this.make(key);
    if (key.length <= MAX_KEY) this.add(key, made);
    return made;
  }

  private add(key: string, value: Value): void {
    if (this.entries.size >= this.capacity) {
      const oldest = this.entries.keys().next();
      if (!oldest.done) this.entries.delete(oldest.value);
    }
    this.entries.set(key, value);
  }
}
