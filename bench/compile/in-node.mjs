// One contestant of those in Node.js, for contestants.mjs: node in-node.mjs compiled|fengari|wasmoon BUNDLE SCRIPT
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

const [, , name, bundle, file] = process.argv;
const source = readFileSync(file);

const unlimited = { instructions: Number.MAX_SAFE_INTEGER, memoryBytes: Number.MAX_SAFE_INTEGER };
const nothing = () => undefined;

const LOADERS = {
  async compiled() {
    const { Budget, CompiledVm, Loader } = await import(bundle);
    return inVm(new CompiledVm({ loader: new Loader([]), budget: new Budget(unlimited), print: nothing }));
  },
  async fengari() {
    const { Vm } = await import(bundle);
    const log = { debug: nothing, info: nothing, warn: nothing, error: nothing };
    return inVm(new Vm({ roots: [], log, budget: unlimited }));
  },
  async wasmoon() {
    const { LuaFactory } = await import('wasmoon');
    const engine = await new LuaFactory().createEngine();
    return engine.doString(source.toString('latin1'));
  },
};

function inVm(vm) {
  const [fn] = vm.execute(source, '@bench');
  return (n) => vm.invoke(fn, [n]);
}

const cpuSeconds = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};

const run = await LOADERS[name]();
for await (const line of createInterface({ input: process.stdin })) {
  const before = cpuSeconds();
  run(Number(line));
  process.stdout.write(`${cpuSeconds() - before}\n`);
}
