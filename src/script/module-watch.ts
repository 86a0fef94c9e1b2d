/**
 * Remembers what modules returned, so that a compiled copy of a module can stand in for it: which module a table comes
 * from, and what the entry script has changed in it since, or in what all modules use.
 */

import type { LuaValue } from './executor.js';
import {
  globals,
  type LuaTable,
  type LuaThread,
  oneByte,
  type Slot,
  STRING,
  stringBytes,
  TABLE,
  tableOf,
  typeOf,
} from './fengari.js';

/** Where a table or a value is: a module, and the keys that lead there from its own table. */
export interface ModulePlace {
  module: string;
  path: readonly LuaValue[];
}

/** A number, string or boolean that a script has set in a module's tables, or nil. */
export interface Setting extends ModulePlace {
  value: LuaValue;
}

/** A table as it was. */
interface Known {
  readonly content: ReadonlyMap<unknown, unknown>;
  readonly metatable: LuaTable | null;
  /** Undefined for what all modules use. */
  readonly place: ModulePlace | undefined;
  /** How scripts write it. */
  readonly name: string;
}

export class ModuleWatch {
  private readonly known = new Map<LuaTable, Known>();
  private fresh: [name: string, table: LuaTable][] = [];
  private depth = 0;

  /** Begins with the globals as they are now: the libraries and `mix`. */
  constructor(main: LuaThread) {
    this.remember(globals(main), undefined, '_G');
  }

  /** `require` begins to run a module. */
  begin(): void {
    this.depth++;
  }

  /** It has ended, and returned this unless it failed. Until the last one has, modules may set up each other. */
  end(name: string, returned: Slot | undefined): void {
    this.depth--;
    if (returned && typeOf(returned) === TABLE) this.fresh.push([name, tableOf(returned)]);
    if (this.depth > 0) return;
    for (const [module, table] of this.fresh) this.remember(table, { module, path: [] }, module);
    this.fresh = [];
  }

  /** Where a table comes from; undefined when no module returned it. */
  placeOf(table: LuaValue): ModulePlace | undefined {
    return this.known.get(tableOf(table as Slot))?.place;
  }

  /**
   * What has been set in the tables of these modules since they were loaded. Throws where that is more than plain
   * values, or where the libraries were changed.
   */
  settings(modules: ReadonlySet<string>): Setting[] {
    const settings: Setting[] = [];
    for (const [table, known] of this.known) {
      const { place, name, content, metatable } = known;
      if (place !== undefined && !modules.has(place.module)) continue;
      if (table.metatable !== metatable) throw changed(name);
      const now = contentOf(table);
      for (const [key, value] of now) {
        if (value === content.get(key)) continue;
        // Globals of the script's own are no module's concern.
        if (place === undefined && !content.has(key)) continue;
        if (place === undefined || !isPlain(key) || !isPlain(value) || !isPlain(content.get(key)))
          throw changed(`${name}.${String(key)}`);
        settings.push({ module: place.module, path: [...place.path, key], value });
      }
      for (const [key, value] of content) {
        if (now.has(key)) continue;
        if (place === undefined || !isPlain(key) || !isPlain(value)) throw changed(`${name}.${String(key)}`);
        settings.push({ module: place.module, path: [...place.path, key], value: undefined });
      }
    }
    return settings;
  }

  private remember(table: LuaTable, place: ModulePlace | undefined, name: string): void {
    if (this.known.has(table)) return;
    this.known.set(table, { content: contentOf(table), metatable: table.metatable, place, name });
    for (let entry = table.f; entry; entry = entry.n) {
      const key = plainOf(entry.key);
      if (typeOf(entry.value) !== TABLE || !isPlain(key)) continue;
      const at = place && { module: place.module, path: [...place.path, key] };
      this.remember(tableOf(entry.value), at, `${name}.${String(key)}`);
    }
  }
}

/** Strings by their bytes, everything else by what it is. */
function plainOf(slot: Slot): unknown {
  return typeOf(slot) === STRING ? oneByte(stringBytes(slot)) : slot.value;
}

function contentOf(table: LuaTable): Map<unknown, unknown> {
  const content = new Map<unknown, unknown>();
  for (let entry = table.f; entry; entry = entry.n) content.set(plainOf(entry.key), plainOf(entry.value));
  return content;
}

function isPlain(value: unknown): value is LuaValue & (string | number | boolean | undefined) {
  return typeof value !== 'object' && typeof value !== 'function';
}

function changed(name: string): Error {
  return new Error(`the script has changed '${name.replace(/^_G\./, '')}'`);
}
