/** What scripts keep with a client: plain values, so that they can leave the VM, and waits for them. */

import { MoonwireError } from '../errors.js';

interface Wait {
  resolve(value: unknown): void;
  reject(error: MoonwireError): void;
}

export class ClientContext {
  private readonly map = new Map<string, unknown>();
  private readonly waits = new Map<string, Wait[]>();
  private closed = false;

  /** All values. */
  get values(): ReadonlyMap<string, unknown> {
    return this.map;
  }

  /** Sets a value, which ends the waits for it; undefined removes it. */
  set(key: string, value: unknown): void {
    if (value === undefined) {
      this.map.delete(key);
      return;
    }
    this.map.set(key, value);
    const waits = this.waits.get(key) ?? [];
    this.waits.delete(key);
    for (const { resolve } of waits) resolve(value);
  }

  /** Sets all values of `values` and removes all others. */
  replace(values: Record<string, unknown>): void {
    this.map.clear();
    for (const [key, value] of Object.entries(values)) this.set(key, value);
  }

  /** The value of a key once it is set; rejects with `closed` when the client closes before. */
  async when(key: string): Promise<unknown> {
    if (this.map.has(key)) return this.map.get(key);
    if (this.closed) throw closed();
    return new Promise((resolve, reject) => {
      const waits = this.waits.get(key) ?? [];
      waits.push({ resolve, reject });
      this.waits.set(key, waits);
    });
  }

  /** The client is gone: ends all waits. */
  close(): void {
    this.closed = true;
    for (const { reject } of [...this.waits.values()].flat()) reject(closed());
    this.waits.clear();
  }
}

function closed(): MoonwireError {
  return new MoonwireError('closed', 'the client is closed');
}
