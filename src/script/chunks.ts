/**
 * Compiled Lua, shared by the VMs of an engine: Fengari takes some 10 ms to compile a module of 5 KB, and a fraction of
 * one to read what it compiled before. Only what is compiled a second time is kept, so that a lone script costs nothing.
 */

import { compile, type LuaThread } from './fengari.js';
import { readFunction, writeFunction } from './fengari-code.js';
import type { Source } from './loader.js';

/** Bytes of compiled code that are kept; the oldest makes room. */
const MAX_BYTES = 4 * 2 ** 20;
/** Files of which it is known that they were compiled once. */
const MAX_SEEN = 1000;

export class Chunks {
  private readonly kept = new Map<string, Uint8Array>();
  private readonly seen = new Set<string>();
  private bytes = 0;

  /** Pushes the function that a file is, or the error message; returns whether it compiled. */
  compile(L: LuaThread, { name, bytes, hash }: Source): boolean {
    const key = `${hash} ${name}`;
    const chunk = `@${name}`;
    const known = this.kept.get(key);
    if (known) return readFunction(L, known, chunk);
    if (!compile(L, bytes, chunk)) return false;
    if (this.seen.has(key)) this.keep(key, writeFunction(L));
    else if (this.seen.size < MAX_SEEN) this.seen.add(key);
    return true;
  }

  private keep(key: string, code: Uint8Array): void {
    this.kept.set(key, code);
    this.bytes += code.length;
    for (const [oldest, { length }] of this.kept) {
      if (this.bytes <= MAX_BYTES) return;
      this.kept.delete(oldest);
      this.bytes -= length;
    }
  }
}
