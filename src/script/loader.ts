/** Finds and reads Lua source: entry scripts, and modules for `require`, never outside the script roots. */

import { createHash } from 'node:crypto';
import { readFileSync, realpathSync } from 'node:fs';
import { join, relative, resolve, sep } from 'node:path';

/** Largest script file in bytes. */
export const MAX_SOURCE = 1024 * 1024;

/** Places without a file that are remembered. */
const MAX_MISSING = 1000;

/** A script file that was read. */
export interface Source {
  /** Absolute path. */
  path: string;
  /** The path as errors show it: relative to the working directory where that is shorter. */
  name: string;
  bytes: Uint8Array;
  /** SHA-256 of the content, hex. */
  hash: string;
}

/** Reads scripts from a list of root folders; remembers what it read, for hot reload. */
export class Loader {
  private readonly roots: string[];
  /** Everything read so far, by absolute path. */
  readonly sources = new Map<string, Source>();
  /** Where files were looked for that are not there: one that comes takes the place of another. */
  readonly missing = new Set<string>();

  /** `roots`: folders that `require` searches, first match wins. Those that do not exist are left out. */
  constructor(roots: string[]) {
    this.roots = roots.flatMap((root) => realpath(root) ?? []);
  }

  /** Reads an entry script by its path. Throws when it cannot be read or is too large. */
  entry(path: string): Source {
    const real = realpath(path);
    if (real === undefined) throw new Error(`cannot find script ${path}`);
    return this.read(real);
  }

  /** Finds a module by its name, `a.b` or `a/b`; returns undefined and what was tried when there is none. */
  module(name: string): { source: Source } | { tried: string[] } {
    const path = name.replaceAll('.', '/');
    if (!/^[\w-]+(?:\/[\w-]+)*$/.test(path)) return { tried: ['a module name is like protocols.gt06'] };
    return this.find([`${path}.lua`, join(path, 'init.lua')]);
  }

  /** Finds a data file by its path below a script root; returns what was tried when there is none. */
  data(path: string): { source: Source } | { tried: string[] } {
    return this.find([path]);
  }

  /** The first file of these that a root has, never outside that root. */
  private find(files: readonly string[]): { source: Source } | { tried: string[] } {
    const tried: string[] = [];
    for (const root of this.roots) {
      for (const file of files) {
        const candidate = join(root, file);
        const real = realpath(candidate);
        if (real?.startsWith(root + sep)) return { source: this.read(real) };
        if (this.missing.size < MAX_MISSING) this.missing.add(candidate);
        tried.push(`no file '${displayName(candidate)}'`);
      }
    }
    return { tried };
  }

  private read(path: string): Source {
    let bytes: Uint8Array = readFileSync(path);
    if (bytes.length > MAX_SOURCE) throw new Error(`${displayName(path)} is larger than ${MAX_SOURCE} bytes`);
    const hash = hashOf(bytes);
    // A first line such as "#!/usr/bin/env lua" is no Lua; it stays an empty line, so that line numbers hold.
    if (bytes[0] === 0x23) bytes = bytes.subarray(Math.max(0, bytes.indexOf(10)));
    const source = { path, name: displayName(path), bytes, hash };
    this.sources.set(path, source);
    return source;
  }
}

/** SHA-256, hex. */
export function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function realpath(path: string): string | undefined {
  try {
    return realpathSync(resolve(path));
  } catch {
    return undefined;
  }
}

function displayName(path: string): string {
  const short = relative(process.cwd(), path);
  return short.startsWith('..') ? path : short;
}
