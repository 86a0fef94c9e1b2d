// What runs the scripts of this folder: each in a process of its own that is told how often to run a script, and tells the
// CPU seconds which that took.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

const HARNESS = `local run = dofile(arg[1])
for line in io.lines() do
  local n, before = tonumber(line), os.clock()
  run(n)
  print(os.clock() - before)
  io.stdout:flush()
end`;

const inNode = (name) => ({
  name,
  command: (file, bundle) => [process.execPath, here('in-node.mjs'), name, bundle, here(file)],
});
const installed = (program, folder = '') => ({
  name: program,
  debianPackage: program,
  command: (file) => {
    const own = here(`${folder}${file}`);
    return [program, '-e', `arg = { ${JSON.stringify(existsSync(own) ? own : here(file))} } ${HARNESS}`];
  },
});

/** All contestants by name; those of Debian's that are not installed are named on stderr and left out. */
export const contestants = [
  inNode('compiled'),
  inNode('fengari'),
  inNode('wasmoon'),
  installed('lua5.3'),
  installed('lua5.4'),
  installed('luajit', 'luajit/'),
].filter(({ name, debianPackage }) => {
  if (debianPackage === undefined || spawnSync(debianPackage, ['-v']).error === undefined) return true;
  process.stderr.write(`${name} is not installed (Debian package ${debianPackage}): left out\n`);
  return false;
});

/** Starts one for a script. `seconds(n)` resolves with the CPU seconds of `n` runs; `stop()` ends it. */
export function start(contestant, file, bundle) {
  const [program, ...args] = contestant.command(file, bundle);
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout });
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`${contestant.name} ended with ${code} in ${file}`);
  });
  ended.catch(() => undefined);
  return {
    async seconds(n) {
      child.stdin.write(`${n}\n`);
      return Number((await Promise.race([once(lines, 'line'), ended]))[0]);
    },
    stop: () => child.kill(),
  };
}
