/** Protobuf schemas from .proto files in the script roots. */
import { readFileSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, resolve, sep } from 'node:path';
import type { Root, Type } from 'protobufjs';
import { MoonwireError, messageOf } from '../errors.js';

/** The library; loaded at its first use, since what is not used is not loaded. */
export type Protobuf = typeof import('protobufjs');

/** Loads protobufjs. */
export function loadProtobuf(): Protobuf {
  return createRequire(import.meta.url)('protobufjs') as Protobuf;
}

/** Largest .proto file in bytes. */
const MAX_FILE = 1024 * 1024;
/** Files that one schema may consist of, imports included. */
const MAX_FILES = 64;

/** The schemas of one registry: each file is parsed once. */
export class ProtobufSchemas {
  private readonly roots: string[];
  private readonly parsed = new Map<string, Root>();
  private library: Protobuf | undefined;

  /** `roots`: folders in which schemas are looked for, first match wins. Those that do not exist are left out. */
  constructor(roots: readonly string[]) {
    this.roots = roots.flatMap((root) => realpath(root) ?? []);
  }

  /** @throws MoonwireError `not_found` for a file or message there is not, `invalid_argument` for a bad schema. */
  type(schema: string, name: string): Type {
    const path = this.find(schema);
    if (path === undefined) throw new MoonwireError('not_found', `no schema ${schema} in the script roots`);
    let root = this.parsed.get(path);
    if (!root) {
      root = this.parse(path, schema);
      this.parsed.set(path, root);
    }
    try {
      return root.lookupType(name);
    } catch {
      throw new MoonwireError('not_found', `no message ${name} in ${schema}`);
    }
  }

  /** The file's real path, which must lie in a root: neither `..` nor a link leads out. */
  private find(file: string, beside?: string): string | undefined {
    if (!file.endsWith('.proto') || file.includes('\0')) return undefined;
    for (const folder of beside === undefined ? this.roots : [beside, ...this.roots]) {
      const path = realpath(resolve(folder, file));
      if (path !== undefined && this.roots.some((root) => path.startsWith(root + sep))) return path;
    }
    return undefined;
  }

  private parse(path: string, schema: string): Root {
    this.library ??= loadProtobuf();
    const { Root, common, parse } = this.library;
    const root = new Root();
    const files = [path];
    const brought = new Set<string>();
    try {
      for (const file of files) {
        if (files.length > MAX_FILES) throw new Error(`more than ${MAX_FILES} files`);
        const source = readFileSync(file);
        if (source.length > MAX_FILE) throw new Error(`${file} is larger than ${MAX_FILE} bytes`);
        const { imports = [], weakImports = [] } = parse(source.toString('utf8'), root, { keepCase: true });
        for (const name of [...imports, ...weakImports]) {
          const imported = this.find(name, dirname(file));
          if (imported !== undefined) {
            if (!files.includes(imported)) files.push(imported);
            continue;
          }
          const known = common.get(name)?.nested;
          if (!known) throw new Error(`cannot find the import ${name} in the script roots`);
          if (!brought.has(name)) root.addJSON(known);
          brought.add(name);
        }
      }
      root.resolveAll();
    } catch (error) {
      throw new MoonwireError('invalid_argument', `schema ${schema}: ${messageOf(error)}`, undefined, {
        cause: error,
      });
    }
    return root;
  }
}

function realpath(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}
