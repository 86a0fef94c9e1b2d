// What modules cost to load, for run.mjs: node --expose-gc loading.mjs BUNDLE; prints JSON.
import { readdirSync, readFileSync } from 'node:fs';
import { inputs } from '../support/vectors.mjs';

const { compileChunk, compiledVm } = await import(process.argv[2]);
const PROTOCOLS = new URL('../../lua/protocols/', import.meta.url);
/** The longest module, of 355 lines. */
const LONGEST = 'modbus/functions.lua';
const COMPILATIONS = 40;
/** How often each vector is decoded: V8 keeps code for what runs. */
const PASSES = 50;

const source = readFileSync(new URL(LONGEST, PROTOCOLS), 'latin1');
const lines = source.split('\n').length - 1;
const environment = compiledVm().environment;
const compile = (n) => {
  const before = process.cpuUsage();
  compileChunk(source, `bench-${n}.lua`, environment);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
};
const [first, ...others] = Array.from({ length: COMPILATIONS }, (_, n) => compile(n));

const heap = () => {
  for (let i = 0; i < 4; i++) gc();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
};

/** Loads a module, and decodes its vectors so that it is as in use. */
function load(module) {
  const frames = inputs(module);
  const start = heap();
  const vm = compiledVm();
  const empty = heap();
  const table = vm.require(`protocols.${module}`);
  const loaded = heap();
  const decode = vm.field(table, 'decode');
  for (let i = 0; i < PASSES; i++)
    for (const frame of frames) attempt(() => vm.invoke(decode, [frame, vm.table({})]));
  const used = heap();
  kept.push(vm, table);
  return {
    module,
    passes: PASSES,
    files: vm.modules.size,
    vm: empty - start,
    loaded: loaded - empty,
    used: used - empty,
  };
}
/** Some vectors are no whole frames. */
function attempt(work) {
  try {
    work();
  } catch {}
}
const kept = [];
const modules = readdirSync(PROTOCOLS)
  .filter((file) => file.endsWith('.lua') && !file.endsWith('_test.lua'))
  .map((file) => file.slice(0, -'.lua'.length));
// What is made once for all is not counted.
load('gt06');
load('modbus_tcp');
const memory = modules.map(load);
// The fastest: what else the machine does, and V8's own compiler beside it, can only add to it.
process.stdout.write(JSON.stringify({ lines, first, later: Math.min(...others), memory }));
