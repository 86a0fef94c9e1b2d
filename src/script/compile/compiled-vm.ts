/**
 * Runs pure Lua modules as JavaScript: an executor beside Fengari's, with the same library, `mix`, budget and errors.
 * Nothing in it waits.
 */

import type { LogLevel } from '../../log.js';
import type { ApiFunction } from '../api.js';
import { Arguments } from '../arguments.js';
import type { Budget } from '../budget.js';
import { type Executor, HostObject, LuaError, type LuaRef, type LuaValue, type Native } from '../executor.js';
import { oneByte } from '../fengari.js';
import type { Loader, Source } from '../loader.js';
import { numberToString } from '../numbers.js';
import type { ProtocolHost } from '../protocol-host.js';
import { ScriptError } from '../script-error.js';
import { toNumber } from '../stdlib/tonumber.js';
import { compileChunk } from './compile.js';
import { apiFunction } from './runtime/api-functions.js';
import { baseFunctions, errorValue } from './runtime/base.js';
import { Calls, type LuaFunction, many, one } from './runtime/calls.js';
import { fromJs, toJs } from './runtime/convert.js';
import { type Environment, environment } from './runtime/environment.js';
import { FAST } from './runtime/fast.js';
import { libraries, wrapNative } from './runtime/library.js';
import { Meter } from './runtime/meter.js';
import { Operators } from './runtime/operators.js';
import { STACK_FRAMES, traceback, where } from './runtime/place.js';
import { LuaTable } from './runtime/table.js';
import { SyntaxProblem } from './syntax/problem.js';

export interface CompiledVmOptions {
  /** Finds what `require` names. */
  loader: Loader;
  /** Counts what callbacks take; shared with the entry script's VM, where there is one. */
  budget: Budget;
  /** Takes a line of `print` or `mix.log`, one character a byte, and the script and line it comes from. */
  print(line: string, level: LogLevel, place: string): void;
}

/** Loading runs main chunks, which may build tables: so many times a callback's budget. */
const LOAD_FACTOR = 3;

export class CompiledVm implements Executor, ProtocolHost {
  readonly loader: Loader;
  private readonly calls = new Calls();
  private readonly operators = new Operators(this, this.calls);
  private readonly meter: Meter;
  private readonly globals = this.calls.table();
  private readonly loaded = this.calls.table();
  private readonly environment: Environment;
  private readonly identities = new WeakMap<object, number>();
  private identity = 0;
  private readonly names = new Set<string>();
  /** The first module that cannot be compiled, which a `pcall` around `require` must not hide. */
  private refusal: SyntaxProblem | undefined;

  constructor(private readonly options: CompiledVmOptions) {
    this.loader = options.loader;
    this.meter = new Meter(options.budget);
    const { functions, steppers } = baseFunctions(this, this.calls, this.meter);
    const set = (table: LuaTable, name: string, fn: unknown) => table.set(name, fn as LuaValue);
    for (const [name, fn] of Object.entries(functions)) set(this.globals, name, fn);
    for (const [name, natives] of Object.entries(libraries())) {
      const table = name === 'string' ? this.calls.strings : this.calls.table();
      for (const [key, value] of Object.entries(natives)) {
        if (typeof value !== 'function') table.set(key, value);
        else {
          const slow = wrapNative(this, value as Native, key);
          set(table, key, FAST[name]?.[key]?.(slow, this) ?? slow);
        }
      }
      this.loaded.set(name, table);
      if (name !== 'bit') this.globals.set(name, table);
    }
    const tables = this.globals.getString('table') as LuaTable;
    this.globals.set('unpack', tables.getString('unpack'));
    set(this.globals, 'tonumber', wrapNative(this, toNumber, 'tonumber'));
    set(this.globals, 'print', (...args: LuaValue[]) => {
      this.logLine(args.map((value) => this.tostring(value)).join('\t'), 'info');
      return [];
    });
    set(this.globals, 'require', (...args: LuaValue[]) =>
      this.required(new Arguments(this, 'require', args).string(1)),
    );
    this.globals.set('_G', this.globals);
    this.loaded.set('_G', this.globals);
    this.globals.set('_VERSION', 'Lua 5.3');
    this.environment = environment(this.globals, this.meter, this.calls, this.operators, steppers);
  }

  // -- Setting up -----------------------------------------------------------------------------------------------

  /** Adds functions under their full names: `mix.x.y` into global tables, `kind:name` as methods of objects. */
  define<Host>(entries: readonly ApiFunction<Host>[], host: Host): void {
    for (const entry of entries) {
      const [kind, method] = entry.name.split(':');
      if (method !== undefined) {
        const methods = this.calls.kind(kind!).getString('__index') as LuaTable;
        const fn = apiFunction<Host>(this, entry, (self) =>
          self instanceof HostObject && self.kind === kind ? (self.data as Host) : undefined,
        );
        methods.set(method, fn as unknown as LuaValue);
      } else this.constant(entry.name, apiFunction(this, entry, () => host) as unknown as LuaValue);
    }
  }

  /** Sets a value by its full name, as `mix.DEBUG`. */
  constant(name: string, value: LuaValue): void {
    const path = name.split('.');
    let table = this.globals;
    for (const part of path.slice(0, -1)) {
      let next = table.getString(part);
      if (!(next instanceof LuaTable)) {
        next = this.calls.table();
        table.set(part, next);
      }
      table = next as LuaTable;
    }
    table.set(path.at(-1)!, value);
  }

  // -- Running --------------------------------------------------------------------------------------------------

  /** Loads and runs a module's file. Throws {@link SyntaxProblem} where it cannot be compiled, else ScriptError. */
  load(path: string): { source: Source; results: LuaValue[] } {
    const source = this.loader.entry(path);
    const module = this.compile(source);
    return { source, results: this.loading(module) };
  }

  /** Compiles and runs source text; `name` names it in errors. */
  execute(text: Uint8Array | string, name: string): LuaValue[] {
    const bytes = typeof text === 'string' ? Buffer.from(text) : text;
    const chunk = compileChunk(oneByte(bytes), name, this.environment);
    return this.invoke(chunk as unknown as LuaValue, [], undefined, LOAD_FACTOR);
  }

  /**
   * `require(name)`, for the host. Throws {@link SyntaxProblem} when the module, or one that it requires, cannot be
   * compiled, else ScriptError.
   */
  require(name: string): LuaValue {
    return this.loading(() => this.required(name))[0];
  }

  private loading(chunk: LuaFunction): LuaValue[] {
    try {
      const results = this.invoke(chunk as unknown as LuaValue, [], undefined, LOAD_FACTOR);
      if (this.refusal === undefined) return results;
    } catch (error) {
      if (this.refusal === undefined) throw error;
    }
    // Whatever else went wrong follows from it.
    throw this.refusal;
  }

  /** The names of the modules that were required so far. */
  get modules(): ReadonlySet<string> {
    return this.names;
  }

  private compile({ bytes, name }: Source): LuaFunction {
    try {
      return compileChunk(oneByte(bytes), name, this.environment, this.globals);
    } catch (error) {
      if (error instanceof SyntaxProblem) this.refusal ??= error;
      throw error;
    }
  }

  private required(given: string): LuaValue {
    const name = given.replaceAll('/', '.');
    const known = this.loaded.get(name);
    if (known === LOADING) throw new LuaError(`loop or previous error loading module '${name}'`);
    if (known !== undefined) return known;
    const found = this.loader.module(name);
    if ('tried' in found) throw new LuaError(`module '${name}' not found:\n\t${found.tried.join('\n\t')}`);
    const chunk = this.compile(found.source);
    this.loaded.set(name, LOADING);
    let value: LuaValue;
    try {
      value = one(chunk(name)) ?? true;
    } catch (error) {
      this.loaded.set(name, undefined);
      throw error;
    }
    this.loaded.set(name, value);
    this.names.add(name);
    return value;
  }

  /** Calls a function on a budget of its own, or that of the callback which runs. Throws {@link ScriptError}. */
  invoke(
    fn: LuaValue,
    args: readonly (LuaValue | Uint8Array | null)[],
    _owner?: unknown,
    factor = 1,
  ): LuaValue[] {
    const given = args.map((arg) => (arg instanceof Uint8Array ? oneByte(arg) : (arg ?? undefined)));
    const limit = Error.stackTraceLimit;
    Error.stackTraceLimit = STACK_FRAMES;
    this.meter.enter(factor);
    try {
      return many(this.calls.callable(fn, undefined)(...given));
    } catch (thrown) {
      throw this.failure(thrown);
    } finally {
      this.meter.leave();
      Error.stackTraceLimit = limit;
    }
  }

  /** `invoke` for a native function of a script that runs: on its budget. Throws LuaError. */
  invokeInside(fn: LuaValue, args: readonly LuaValue[]): LuaValue[] {
    try {
      return this.invoke(fn, args);
    } catch (error) {
      // The place is in the message.
      if (error instanceof ScriptError)
        throw new LuaError(error.message, oneByte(Buffer.from(error.message)));
      throw error;
    }
  }

  /** Hands a line to the log, with the place in the script that is running. */
  logLine(text: string, level: LogLevel): void {
    this.options.print(text, level, where(new LuaError(''), 1).replace(/: $/, ''));
  }

  private failure(thrown: unknown): ScriptError {
    const { exceeded } = this.meter;
    const code = exceeded === undefined ? 'internal' : 'budget_exceeded';
    const value = exceeded ?? errorValue(thrown);
    const stack = thrown instanceof Error ? traceback(thrown) : '';
    const text = typeof value === 'string' ? Buffer.from(value, 'latin1').toString('utf8') : undefined;
    if (text !== undefined) return new ScriptError(text, stack, code);
    const isTable = value instanceof LuaTable && this.calls.metamethod(value, '__tostring') === undefined;
    return new ScriptError(
      isTable ? `(error object is a ${this.type(value)} value)` : this.tostring(value),
      stack,
      code,
    );
  }

  /** A field of a table, without metamethods. */
  field(table: LuaValue, key: string | number): LuaValue {
    return table instanceof LuaTable ? table.get(key) : undefined;
  }

  global(name: string): LuaValue {
    return this.globals.getString(name);
  }

  /** A value as plain JavaScript. */
  toJs(value: LuaValue | Uint8Array | null): unknown {
    return toJs(value instanceof Uint8Array ? oneByte(value) : (value ?? undefined));
  }

  /** A value from plain JavaScript. Throws LuaError for what no script can hold. */
  fromJs(value: unknown): LuaValue {
    return fromJs(value, () => this.newTable());
  }

  /** An empty table. */
  newTable(): LuaTable {
    return this.calls.table();
  }

  setField(table: LuaRef, key: LuaValue, value: LuaValue): void {
    (table as LuaTable).set(key, value);
  }

  entries(table: LuaRef): [LuaValue, LuaValue][] | undefined {
    const from = table as LuaTable;
    if (from.metatable !== undefined) return undefined;
    const entries: [LuaValue, LuaValue][] = [];
    for (let at = from.used(0); at >= 0; at = from.used(at + 1)) {
      entries.push([from.keyAt(at), from.valueAt(at)]);
    }
    return entries;
  }

  tableIdentity(table: LuaRef): unknown {
    return table;
  }

  // -- Executor -------------------------------------------------------------------------------------------------

  charge(steps: number): void {
    this.meter.charge(steps);
  }

  call(fn: LuaValue, args: LuaValue[]): LuaValue[] {
    return many(this.calls.callable(fn, undefined)(...args));
  }

  index(table: LuaValue, key: LuaValue): LuaValue {
    if (table instanceof LuaTable && table.metatable === undefined) return table.get(key);
    return this.calls.index(table, key, undefined);
  }

  setIndex(table: LuaValue, key: LuaValue, value: LuaValue): void {
    this.calls.setIndex(table, key, value, undefined);
  }

  length(value: LuaValue): number {
    const length = this.operators.length(value, undefined);
    if (typeof length !== 'number') throw new LuaError('object length is not an integer');
    return length;
  }

  lessThan(a: LuaValue, b: LuaValue): boolean {
    return this.operators.less(a, b);
  }

  table(fields: Record<string, LuaValue | Uint8Array>): LuaRef {
    const table = this.calls.table();
    for (const [key, v] of Object.entries(fields)) table.set(key, v instanceof Uint8Array ? oneByte(v) : v);
    return table;
  }

  tostring(value: LuaValue): string {
    if (typeof value === 'string') return value;
    if (typeof value === 'number') return numberToString(value);
    if (value === undefined) return 'nil';
    if (typeof value === 'boolean') return String(value);
    const handler = this.calls.metamethod(value, '__tostring');
    if (handler !== undefined) {
      const text = this.calls.first(handler, value);
      if (typeof text !== 'string') throw new LuaError("'__tostring' must return a string");
      return text;
    }
    let id = this.identities.get(value);
    if (id === undefined) {
      id = ++this.identity;
      this.identities.set(value, id);
    }
    return `${this.calls.typeName(value)}: 0x${id.toString(16).padStart(8, '0')}`;
  }

  type(value: LuaValue): string {
    return this.calls.type(value);
  }
}

/** Stands in `package.loaded` while a module runs, so that a loop is seen. */
const LOADING = '\0loading';
