/**
 * One Lua VM: a sandbox, a budget, and handlers that run either at once (`invoke`) or as coroutines that may wait
 * (`run`). Every server and link has a VM of its own.
 */

import type { Logger, LogLevel } from '../log.js';
import type { ApiFunction } from './api.js';
import { Budget, type BudgetLimits, DEFAULT_BUDGET } from './budget.js';
import { Chunks } from './chunks.js';
import { fromJs, toJs } from './convert.js';
import {
  type Executor,
  HostObject,
  LuaError,
  type LuaRef,
  type LuaValue,
  luaType,
  MAX_STRING,
} from './executor.js';
import {
  ALL,
  api,
  bytesOf,
  bytesSlot,
  type CFunction,
  type Continuation,
  compile,
  functionSlot,
  globals,
  type LuaTable,
  type LuaThread,
  newTable,
  OK,
  oneByte,
  onNativeError,
  popSlots,
  push,
  raise,
  rawGet,
  rawLength,
  rawSet,
  type Slot,
  STRING,
  stringBytes,
  TABLE,
  tableOf,
  tableSlot,
  threadSlot,
  traceback,
  typeOf,
  YIELD,
} from './fengari.js';
import { sizeOf } from './fengari-size.js';
import { Loader, type Source } from './loader.js';
import type { ModuleWatch } from './module-watch.js';
import { guard, wrapApi, wrapNative } from './natives.js';
import { numberToString } from './numbers.js';
import type { ProtocolHost } from './protocol-host.js';
import { buildSandbox } from './sandbox.js';
import { ScriptError } from './script-error.js';
import { type Pushable, slotOf, Values } from './values.js';

/** How a VM is made. */
export interface VmOptions {
  /** Folders that `require` searches, in order. */
  roots: string[];
  log: Logger;
  budget?: Partial<BudgetLimits>;
  /** Compiled code that it shares with others. */
  chunks?: Chunks;
}

/** Idle threads kept for the next handler. */
const POOL_SIZE = 32;
/** A thread whose stack grew past this many slots is not kept. */
const POOL_STACK = 1000;
/** Loading runs every module's main chunk, which may build tables: so many times a callback's budget. */
const LOAD_FACTOR = 3;
/** Bytes of a large string that count as one step. */
const BYTES_PER_STEP = 16;

/** A callback that waits. */
interface Wait {
  readonly owner: unknown;
  readonly thread: LuaThread;
  /** Gives it up. */
  readonly drop: (error: ScriptError) => void;
}

/** What a suspended call waits for, and how its result is pushed. */
type Finish = (L: LuaThread, value: unknown) => number;

export class Vm implements Executor, ProtocolHost {
  readonly main: LuaThread = api.newState();
  /** The thread that runs right now. */
  thread = this.main;
  readonly values: Values;
  readonly budget: Budget;
  readonly loader: Loader;
  readonly chunks: Chunks;
  readonly log: Logger;
  /** Told of the modules that are loaded, where somebody wants to know. */
  modules: ModuleWatch | undefined;
  private readonly globals: LuaTable;
  private readonly metatables = new Map<string, LuaTable>();
  private readonly pool: LuaThread[] = [];
  /** Threads that a script must not resume: running handlers, and coroutines inside which something waits. */
  private readonly waitingThreads = new WeakSet<LuaThread>();
  private readonly waits = new Set<Wait>();
  /** On whose behalf the running callback runs (a client), as given to `invoke` and `run`. */
  owner: unknown;
  private waitAllowed = false;
  private pending: Promise<unknown> | undefined;
  private settled: { value: unknown } | { error: unknown } | undefined;
  private lastTraceback = '';

  constructor(options: VmOptions) {
    this.log = options.log;
    this.budget = new Budget({ ...DEFAULT_BUDGET, ...options.budget });
    this.loader = new Loader(options.roots);
    this.chunks = options.chunks ?? new Chunks();
    this.values = new Values(
      this.main,
      (native) => wrapNative(this, native),
      (kind) => this.metatable(kind),
    );
    this.main.l_G.onLargeString = (L, bytes) => {
      if (bytes > MAX_STRING) raise(L, `string longer than ${MAX_STRING} bytes`, 0);
      this.charge(Math.ceil(bytes / BYTES_PER_STEP));
    };
    onNativeError(this.main, (thrown) => {
      if (!(thrown instanceof LuaError))
        this.log.error('a native function failed', { error: String(thrown) });
      return thrown instanceof Error ? thrown.message : String(thrown);
    });
    this.budget.watch(this.main);
    buildSandbox(this);
    this.globals = globals(this.main);
  }

  // -- Setting up -----------------------------------------------------------------------------------------------

  /** Adds functions under their full names: `mix.x.y` into global tables, `kind:name` as methods of objects. */
  define<Host>(entries: readonly ApiFunction<Host>[], host: Host): void {
    for (const entry of entries) {
      const [kind, method] = entry.name.split(':');
      if (method !== undefined) {
        const methods = tableOf(rawGet(this.main, this.metatable(kind!), this.key('__index')));
        const wrapped = wrapApi<Host>(this, entry, (self) =>
          self instanceof HostObject && self.kind === kind ? (self.data as Host) : undefined,
        );
        rawSet(this.main, methods, this.key(method), functionSlot(wrapped));
      } else {
        const path = entry.name.split('.');
        const table = this.tableAt(path.slice(0, -1));
        rawSet(this.main, table, this.key(path.at(-1)!), functionSlot(wrapApi(this, entry, () => host)));
      }
    }
  }

  /** Sets a constant, as `mix.DEBUG`. */
  constant(name: string, value: LuaValue): void {
    const path = name.split('.');
    rawSet(this.main, this.tableAt(path.slice(0, -1)), this.key(path.at(-1)!), this.values.slot(value));
  }

  private tableAt(path: string[]): LuaTable {
    let table = globals(this.main);
    for (const name of path) {
      const slot = rawGet(this.main, table, this.key(name));
      const next = typeOf(slot) === TABLE ? tableOf(slot) : newTable(this.main);
      if (typeOf(slot) !== TABLE) rawSet(this.main, table, this.key(name), tableSlot(next));
      table = next;
    }
    return table;
  }

  private key(name: string): Slot {
    return bytesSlot(bytesOf(name));
  }

  /** The metatable of a kind of objects; its `__index` holds the methods. Scripts can neither see nor change it. */
  private metatable(kind: string): LuaTable {
    let metatable = this.metatables.get(kind);
    if (!metatable) {
      metatable = newTable(this.main);
      rawSet(this.main, metatable, this.key('__index'), tableSlot(newTable(this.main)));
      rawSet(this.main, metatable, this.key('__name'), this.key(kind));
      rawSet(this.main, metatable, this.key('__metatable'), this.values.slot(false));
      this.metatables.set(kind, metatable);
    }
    return metatable;
  }

  // -- Running --------------------------------------------------------------------------------------------------

  /**
   * Loads and runs a script file; returns it and what it returns. Its main chunk may not wait (`init` may).
   * Throws {@link ScriptError}.
   */
  load(path: string): { source: Source; results: LuaValue[] } {
    let source: Source;
    try {
      source = this.loader.entry(path);
    } catch (error) {
      throw new ScriptError((error as Error).message, '', 'not_found');
    }
    return { source, results: this.runChunk(this.chunks.compile(this.main, source)) };
  }

  /** What is wrong with a script file's syntax; undefined when it compiles. */
  syntaxProblem(path: string): string | undefined {
    try {
      const source = this.loader.entry(path);
      const compiled = compile(this.main, source.bytes, `@${source.name}`);
      const [result] = popSlots(this.main, 1);
      return compiled ? undefined : oneByte(stringBytes(result!));
    } catch (error) {
      return (error as Error).message;
    }
  }

  /** Compiles and runs source text; returns what it returns. `chunk` names it in errors, after an `@`. */
  execute(text: Uint8Array | string, chunk: string): LuaValue[] {
    return this.runChunk(compile(this.main, typeof text === 'string' ? Buffer.from(text) : text, chunk));
  }

  /** Runs what a compiler has pushed: the function, or the message where it did not compile. */
  private runChunk(compiled: boolean): LuaValue[] {
    const [pushed] = popSlots(this.main, 1);
    if (!compiled) throw new ScriptError(oneByte(stringBytes(pushed!)));
    return this.invoke(this.values.read(pushed!), [], undefined, LOAD_FACTOR);
  }

  /** A global of the script. */
  global(name: string): LuaValue {
    return this.values.read(rawGet(this.main, this.globals, this.key(name)));
  }

  /** `require(name)`, for the host. */
  require(name: string): LuaValue {
    return this.invoke(this.global('require'), [name], undefined, LOAD_FACTOR)[0];
  }

  /** A field of a table, without metamethods. */
  field(table: LuaValue, key: string | number): LuaValue {
    const slot = this.values.slot(table);
    if (typeOf(slot) !== TABLE) return undefined;
    return this.values.read(rawGet(this.main, tableOf(slot), this.values.slot(key)));
  }

  /** A value from plain JavaScript. Throws LuaError for what no script can hold. */
  fromJs(value: unknown): LuaValue {
    return this.values.read(fromJs(this.main, value));
  }

  /** A value as plain JavaScript. */
  toJs(value: Pushable): unknown {
    return toJs(this.values.slot(value));
  }

  /** Calls a function that must not wait, on a budget of its own. Throws {@link ScriptError}. */
  invoke(fn: LuaValue, args: readonly Pushable[], owner?: unknown, factor = 1): LuaValue[] {
    const L = this.main;
    const { thread, waitAllowed, owner: outerOwner } = this;
    this.owner = owner;
    this.thread = L;
    this.waitAllowed = false;
    this.budget.enter(factor);
    this.budget.watch(L);
    try {
      const base = L.top;
      if (!api.checkStack(L, args.length + 10)) throw new ScriptError('stack overflow');
      push(L, this.messageHandler);
      push(L, this.values.slot(fn));
      for (const arg of args) push(L, this.values.slot(arg));
      const status = api.pcall(L, args.length, ALL, base - L.ci.funcOff);
      const results = popSlots(L, L.top - base).slice(1);
      if (status !== OK) throw this.failure(results[0], this.lastTraceback);
      return results.map((slot) => this.values.read(slot));
    } finally {
      this.budget.leave();
      this.waitAllowed = waitAllowed;
      this.thread = thread;
      this.owner = outerOwner;
    }
  }

  /** Calls a function from a native one of a script that runs: on its budget, and errors pass through it. */
  invokeInside(fn: LuaValue, args: LuaValue[]): LuaValue[] {
    return this.call(fn, args);
  }

  /**
   * Calls a function that may wait, as a coroutine. Returns its results, or a promise of them when it waits.
   * Every stretch between two waits has a budget of its own. Throws (or rejects with) {@link ScriptError}.
   */
  run(fn: LuaValue, args: readonly Pushable[], owner?: unknown): LuaValue[] | Promise<LuaValue[]> {
    let co = this.pool.pop();
    if (!co) {
      co = api.newThread(this.main);
      popSlots(this.main, 1);
      this.waitingThreads.add(co);
    }
    if (!api.checkStack(co, args.length + 10)) throw new ScriptError('stack overflow');
    push(co, this.values.slot(fn));
    for (const arg of args) push(co, this.values.slot(arg));
    return this.advance(co, args.length, owner);
  }

  private advance(co: LuaThread, args: number, owner: unknown): LuaValue[] | Promise<LuaValue[]> {
    const { thread, waitAllowed, owner: outerOwner } = this;
    this.owner = owner;
    this.thread = co;
    this.waitAllowed = true;
    this.budget.enter();
    this.budget.watch(co);
    let status: number;
    try {
      status = api.resume(co, null, args);
    } finally {
      this.budget.leave();
      this.waitAllowed = waitAllowed;
      this.thread = thread;
      this.owner = outerOwner;
    }
    if (status === OK) {
      const results = popSlots(co, co.top - co.ci.funcOff - 1).map((slot) => this.values.read(slot));
      if (this.pool.length < POOL_SIZE && co.stack.length < POOL_STACK) this.pool.push(co);
      return results;
    }
    if (status !== YIELD) throw this.failure(co.stack[co.top - 1], traceback(this.main, co, 0));
    const promise = this.pending;
    this.pending = undefined;
    if (!promise)
      throw new ScriptError('attempt to yield from outside a coroutine', traceback(this.main, co, 0));
    return new Promise((resolve, reject) => {
      const wait: Wait = { owner, thread: co, drop: reject };
      this.waits.add(wait);
      const goOn = (outcome: { value: unknown } | { error: unknown }) => {
        if (!this.waits.delete(wait)) return;
        this.settled = outcome;
        try {
          resolve(this.advance(co, 0, owner));
        } catch (error) {
          reject(error);
        }
      };
      promise.then(
        (value) => goOn({ value }),
        (error) => goOn({ error }),
      );
    });
  }

  /** Callbacks that wait now. */
  get waiting(): number {
    return this.waits.size;
  }

  /**
   * About how many bytes it keeps: what is reached from its globals, its modules, callbacks that wait, and these values.
   * What only coroutines of `coroutine.wrap` and compiled protocols hold is not in it.
   */
  size(held: Iterable<LuaValue> = []): number {
    const slots: Slot[] = [...this.waits].map(({ thread }) => threadSlot(thread));
    for (const value of held) if (value !== undefined) slots.push(this.values.slot(value));
    return sizeOf(this.main, slots);
  }

  /** Gives up the callbacks that wait on behalf of such owners: they never go on. Returns how many. */
  drop(which: (owner: unknown) => boolean, why: string): number {
    let dropped = 0;
    for (const wait of this.waits) {
      if (!which(wait.owner)) continue;
      this.waits.delete(wait);
      dropped++;
      wait.drop(new ScriptError(why, '', 'closed'));
    }
    return dropped;
  }

  /** What runs in place of a suspended native function's return. */
  private readonly resumed: Continuation = (thread, _status, finish) =>
    guard(this, (L) => {
      const outcome = this.settled!;
      this.settled = undefined;
      if ('error' in outcome) throw outcome.error;
      return (finish as Finish)(L, outcome.value);
    })(thread);

  /** Suspends the running handler until `promise` settles; `finish` then pushes the results. */
  suspend(L: LuaThread, promise: Promise<unknown>, finish: Finish): number {
    this.pending = promise;
    return api.yieldWith(L, 0, finish, this.resumed);
  }

  /** Whether a function called on `L` may wait now. */
  mayWait(L: LuaThread): boolean {
    return this.waitAllowed && api.isYieldable(L);
  }

  /** Whether the coroutine that was just resumed came back because something in it waits. */
  isSuspending(): boolean {
    return this.pending !== undefined;
  }

  /** Whether a script must not resume this thread now. */
  isWaiting(co: LuaThread): boolean {
    return this.waitingThreads.has(co);
  }

  /** Marks a script's coroutine as waiting, or no longer. */
  markWaiting(co: LuaThread, waiting: boolean): void {
    if (waiting) this.waitingThreads.add(co);
    else this.waitingThreads.delete(co);
  }

  /** Runs `body`, which resumes a coroutine from `L`: it may wait only if `L` may. */
  nested<T>(L: LuaThread, body: () => T): T {
    const { waitAllowed } = this;
    this.waitAllowed = this.mayWait(L);
    try {
      return body();
    } finally {
      this.waitAllowed = waitAllowed;
    }
  }

  /** A native function of this VM from one that works on the stack. */
  guard(body: CFunction): CFunction {
    return guard(this, body);
  }

  // -- Errors and output ----------------------------------------------------------------------------------------

  private readonly messageHandler = functionSlot((L) => {
    this.lastTraceback = traceback(L, L, 1);
    return 1;
  });

  private failure(value: Slot | undefined, stack: string): ScriptError {
    const code = this.budget.exceeded === undefined ? 'internal' : 'budget_exceeded';
    return new ScriptError(this.describe(value), stack, code);
  }

  private describe(value: Slot | undefined): string {
    if (value === undefined) return 'unknown error';
    if (typeOf(value) === STRING) return Buffer.from(stringBytes(value)).toString('utf8');
    const read = this.values.read(value);
    if (typeof read === 'object' && this.metafield(value, '__tostring')) {
      try {
        return this.invoke(this.global('tostring'), [read]).join('');
      } catch {
        // An error value that cannot even be printed is described by its type.
      }
    }
    if (typeof read === 'object') return `(error object is a ${this.type(read)} value)`;
    return typeof read === 'number' ? numberToString(read) : String(read ?? 'nil');
  }

  private metafield(slot: Slot, name: string): boolean {
    const metatable = (slot.value as { metatable?: LuaTable | null } | null)?.metatable;
    return metatable ? this.values.read(rawGet(this.main, metatable, this.key(name))) !== undefined : false;
  }

  /** Logs a line of `print` or `mix.log` with the script's place. */
  print(L: LuaThread, text: string, level: LogLevel = 'info'): void {
    api.where(L, 1);
    const where = oneByte(stringBytes(popSlots(L, 1)[0]!)).replace(/: $/, '');
    this.log[level](Buffer.from(text, 'latin1').toString('utf8'), { script: where });
  }

  /** Logs a line with the place in the script that is running. */
  logLine(text: string, level: LogLevel): void {
    this.print(this.thread, text, level);
  }

  // -- Executor -------------------------------------------------------------------------------------------------

  charge(steps: number): void {
    this.budget.charge(steps);
  }

  call(fn: LuaValue, args: LuaValue[]): LuaValue[] {
    const L = this.thread;
    const base = L.top;
    if (!api.checkStack(L, args.length + 5)) throw new LuaError('stack overflow');
    push(L, this.values.slot(fn));
    for (const arg of args) push(L, this.values.slot(arg));
    api.call(L, args.length, ALL);
    return popSlots(L, L.top - base).map((slot) => this.values.read(slot));
  }

  index(table: LuaValue, key: LuaValue): LuaValue {
    const slot = this.values.slot(table);
    if (isPlainTable(slot)) return this.values.read(rawGet(this.main, tableOf(slot), this.values.slot(key)));
    const L = this.pushAll(slot, this.values.slot(key));
    api.getTable(L, -2);
    return this.values.read(popSlots(L, 2)[1]!);
  }

  setIndex(table: LuaValue, key: LuaValue, value: LuaValue): void {
    const L = this.pushAll(this.values.slot(table), this.values.slot(key), this.values.slot(value));
    api.setTable(L, -3);
    popSlots(L, 1);
  }

  length(value: LuaValue): number {
    const slot = this.values.slot(value);
    if (isPlainTable(slot)) return rawLength(tableOf(slot));
    const L = this.pushAll(slot);
    api.length(L, -1);
    const length = this.values.read(popSlots(L, 2)[1]!);
    if (typeof length !== 'number') throw new LuaError('object length is not an integer');
    return length;
  }

  lessThan(a: LuaValue, b: LuaValue): boolean {
    const L = this.pushAll(this.values.slot(a), this.values.slot(b));
    const less = api.lessThan(L, -2, -1);
    popSlots(L, 2);
    return less;
  }

  /** Pushes slots onto the running thread. */
  private pushAll(...slots: Slot[]): LuaThread {
    const L = this.thread;
    if (!api.checkStack(L, slots.length + 5)) throw new LuaError('stack overflow');
    for (const slot of slots) push(L, slot);
    return L;
  }

  /** A new table; bytes are taken over as a string without a copy. */
  table(fields: Record<string, Pushable>): LuaRef {
    const table = newTable(this.main);
    for (const [name, value] of Object.entries(fields)) {
      rawSet(this.main, table, this.key(name), this.values.slot(value));
    }
    return tableSlot(table);
  }

  newTable(): LuaRef {
    return tableSlot(newTable(this.main));
  }

  setField(table: LuaRef, key: LuaValue, value: LuaValue): void {
    rawSet(this.main, tableOf(slotOf(table)), this.values.slot(key), this.values.slot(value));
  }

  entries(table: LuaRef): [LuaValue, LuaValue][] | undefined {
    const { metatable, f } = tableOf(slotOf(table));
    if (metatable !== null) return undefined;
    const entries: [LuaValue, LuaValue][] = [];
    for (let entry = f; entry; entry = entry.n) {
      entries.push([this.values.read(entry.key), this.values.read(entry.value)]);
    }
    return entries;
  }

  tableIdentity(table: LuaRef): unknown {
    return tableOf(slotOf(table));
  }

  tostring(value: LuaValue): string {
    if (typeof value === 'string') return value;
    if (typeof value === 'number') return numberToString(value);
    if (value === undefined) return 'nil';
    if (typeof value === 'boolean') return String(value);
    const L = this.pushAll(this.values.slot(value));
    const text = oneByte(api.toLuaString(L, -1));
    popSlots(L, 2);
    return text;
  }

  type(value: LuaValue): string {
    return luaType(value);
  }
}

/** A table whose fields can be read without metamethods. */
function isPlainTable(slot: Slot): boolean {
  return typeOf(slot) === TABLE && tableOf(slot).metatable === null;
}
