/**
 * The globals a script sees: Lua's library without files, processes, bytecode and debug, the Lua 5.1 names that
 * existing scripts use, and `require` from the script roots.
 */

import { Arguments } from './arguments.js';
import { coroutineFunctions } from './coroutines.js';
import { LuaError, type LuaValue, type Native } from './executor.js';
import {
  api,
  bytesOf,
  bytesSlot,
  compile,
  functionSlot,
  type LuaTable,
  type LuaThread,
  newTable,
  oneByte,
  openLibraries,
  popSlots,
  push,
  rawGet,
  rawSet,
  type Slot,
  setStringMetatable,
  stringBytes,
  tableSlot,
} from './fengari.js';
import { bitLibrary } from './stdlib/bit.js';
import { mathLibrary } from './stdlib/math.js';
import { osLibrary } from './stdlib/os.js';
import { stringLibrary } from './stdlib/string.js';
import { tableLibrary, unpack } from './stdlib/table.js';
import { toNumber } from './stdlib/tonumber.js';
import { utf8Library } from './stdlib/utf8.js';
import type { Vm } from './vm.js';

/** Fengari's base functions that are safe as they are. */
const BASE = [
  'assert',
  'error',
  'getmetatable',
  'ipairs',
  'next',
  'pairs',
  'pcall',
  'rawequal',
  'rawget',
  'rawlen',
  'rawset',
  'select',
  'setmetatable',
  'tostring',
  'type',
  'xpcall',
];

/** Largest text that `load` compiles, and what compiling a byte of it costs. */
const MAX_LOAD = 64 * 1024;
const STEPS_PER_LOADED_BYTE = 10;

/** Builds the globals of `vm`. */
export function buildSandbox(vm: Vm): void {
  const fengari = openLibraries(vm.main);
  const set = (table: LuaTable, name: string, slot: ReturnType<typeof tableSlot>) =>
    rawSet(vm.main, table, bytesSlot(bytesOf(name)), slot);
  const library = (natives: Record<string, LuaValue>): LuaTable => {
    const table = newTable(vm.main);
    for (const [name, value] of Object.entries(natives)) set(table, name, vm.values.slot(value));
    return table;
  };
  const get = (table: LuaTable, name: string) => rawGet(vm.main, table, bytesSlot(bytesOf(name)));

  // Fengari opened its base library into the globals; keep only what is listed.
  const kept = BASE.map((name) => [name, get(fengari.base, name)] as const);
  fengari.base.strong.clear();
  fengari.base.f = undefined;
  fengari.base.l = undefined;
  const globals = fengari.base;
  for (const [name, slot] of kept) set(globals, name, slot);
  set(globals, '_G', tableSlot(globals));
  set(globals, '_VERSION', vm.values.slot('Lua 5.3'));

  const strings = library(stringLibrary());
  const stringMetatable = newTable(vm.main);
  set(stringMetatable, '__index', tableSlot(strings));
  set(stringMetatable, '__metatable', vm.values.slot(false));
  setStringMetatable(vm.main, stringMetatable);

  const coroutines = fengari.coroutine;
  for (const [name, fn] of Object.entries(coroutineFunctions(vm))) {
    set(coroutines, name, functionSlot(fn));
  }

  const bits = library(bitLibrary());
  const libraries: Record<string, LuaTable> = {
    string: strings,
    table: library(tableLibrary()),
    coroutine: coroutines,
    math: library(mathLibrary()),
    utf8: library(utf8Library()),
    os: library(osLibrary()),
  };
  const loaded = newTable(vm.main);
  for (const [name, table] of Object.entries(libraries)) {
    set(globals, name, tableSlot(table));
    set(loaded, name, tableSlot(table));
  }
  set(loaded, '_G', tableSlot(globals));
  set(loaded, 'bit', tableSlot(bits));
  const packages = newTable(vm.main);
  set(packages, 'loaded', tableSlot(loaded));
  set(globals, 'package', tableSlot(packages));

  set(globals, 'unpack', vm.values.slot(unpack));
  set(globals, 'tonumber', vm.values.slot(toNumber));
  set(globals, 'collectgarbage', vm.values.slot(collectGarbage));
  set(globals, 'print', functionSlot(vm.guard((L) => print(vm, L))));
  const load = functionSlot(vm.guard((L) => loadText(vm, L)));
  set(globals, 'load', load);
  set(globals, 'loadstring', load);
  set(globals, 'require', functionSlot(vm.guard((L) => requireModule(vm, L, loaded))));
}

/** Memory is JavaScript's to collect: "count" answers the heap in KiB, everything else does nothing. */
const collectGarbage: Native = (_, args) =>
  (args[0] ?? 'collect') === 'count' ? process.memoryUsage().heapUsed / 1024 : 0;

function print(vm: Vm, L: LuaThread): number {
  const parts: string[] = [];
  for (let i = L.ci.funcOff + 1; i < L.top; i++) parts.push(vm.tostring(vm.values.read(L.stack[i]!)));
  vm.print(L, parts.join('\t'));
  return 0;
}

/** `load(chunk[, name[, mode[, env]]])`: text only, a string or a function that returns pieces of one. */
function loadText(vm: Vm, L: LuaThread): number {
  const args: LuaValue[] = [];
  for (let i = L.ci.funcOff + 1; i < L.top; i++) args.push(vm.values.read(L.stack[i]!));
  const [chunk, name, mode, environment] = args;
  if (typeof mode === 'string' && !mode.includes('t')) {
    push(L, vm.values.slot(undefined));
    push(L, vm.values.slot(`attempt to load a text chunk (mode is '${mode}')`));
    return 2;
  }
  let text = '';
  if (typeof chunk === 'string') {
    text = chunk;
  } else {
    new Arguments(vm, 'load', args).function(1);
    for (;;) {
      const [piece] = vm.call(chunk, []);
      if (piece === undefined || piece === '') break;
      if (typeof piece !== 'string') throw new LuaError('reader function must return a string');
      text += piece;
      if (text.length > MAX_LOAD) break;
    }
  }
  if (text.length > MAX_LOAD) throw new LuaError(`load: more than ${MAX_LOAD} bytes of source`);
  vm.charge(text.length * STEPS_PER_LOADED_BYTE);
  if (!compile(L, bytesOf(text), typeof name === 'string' ? name : `=${text.slice(0, 40)}`)) {
    const [message] = popSlots(L, 1);
    push(L, vm.values.slot(undefined));
    push(L, message!);
    return 2;
  }
  if (args.length > 3) {
    push(L, vm.values.slot(environment));
    api.setUpvalue(L, -2, 1);
  }
  return 1;
}

function requireModule(vm: Vm, L: LuaThread, loaded: LuaTable): number {
  const given = vm.values.read(L.stack[L.ci.funcOff + 1] ?? vm.values.slot(undefined));
  const name = new Arguments(vm, 'require', [given]).string(1).replaceAll('/', '.');
  const key = bytesSlot(bytesOf(name));
  const known = vm.values.read(rawGet(vm.main, loaded, key));
  if (known === LOADING) throw new LuaError(`loop or previous error loading module '${name}'`);
  if (known !== undefined) {
    push(L, vm.values.slot(known));
    return 1;
  }
  const found = vm.loader.module(name);
  if ('tried' in found) throw new LuaError(`module '${name}' not found:\n\t${found.tried.join('\n\t')}`);
  if (!vm.chunks.compile(L, found.source)) {
    const message = oneByte(stringBytes(popSlots(L, 1)[0]!));
    throw new LuaError(`error loading module '${name}':\n\t${message}`);
  }
  rawSet(vm.main, loaded, key, vm.values.slot(LOADING));
  push(L, vm.values.slot(name));
  vm.modules?.begin();
  let returned: Slot | undefined;
  try {
    api.call(L, 1, 1);
    [returned] = popSlots(L, 1);
  } finally {
    if (!returned) rawSet(vm.main, loaded, key, vm.values.slot(undefined));
    vm.modules?.end(name, returned);
  }
  const value = vm.values.read(returned!) ?? true;
  rawSet(vm.main, loaded, key, vm.values.slot(value));
  push(L, vm.values.slot(value));
  return 1;
}

/** Stands in `package.loaded` while a module runs, so that a loop is seen. */
const LOADING = '\0loading';
