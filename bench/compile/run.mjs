// The scripts of this folder, calls a second: compiled, in Fengari, and in Debian's lua5.3, lua5.4, luajit.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const ROOT = new URL('../../', import.meta.url);
const SECONDS = Number(process.env.SECONDS ?? 0.4);

const folder = mkdtempSync(join(tmpdir(), 'moonwire-bench-'));
const bundle = async (entry) => {
  const outfile = join(folder, `${entry.replace(/\W/g, '_')}.mjs`);
  await build({
    entryPoints: [fileURLToPath(new URL(entry, ROOT))],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    minifySyntax: true,
    banner: {
      js: `import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(${JSON.stringify(ROOT.href)});`,
    },
    logLevel: 'error',
  });
  return import(pathToFileURL(outfile).href);
};

const budget = { instructions: Number.MAX_SAFE_INTEGER, memoryBytes: Number.MAX_SAFE_INTEGER };
const nothing = () => undefined;
const log = { debug: nothing, info: nothing, warn: nothing, error: nothing };

/** Best calls a second of a few tries of at least SECONDS of CPU each. */
function rate(run) {
  const cpu = () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  };
  let n = 1;
  let best = 0;
  for (let good = 0; good < 3; ) {
    const before = cpu();
    run(n);
    const spent = cpu() - before;
    if (spent < SECONDS) n *= 2;
    else good++;
    if (spent > 0.05) best = Math.max(best, n / spent);
  }
  return best;
}

function inNode(vm, file) {
  const source = readFileSync(join(HERE, file), 'latin1');
  const before = performance.now();
  const [fn] = vm.execute(Buffer.from(source, 'latin1'), '@bench');
  const ms = performance.now() - before;
  return { speed: rate((n) => vm.invoke(fn, [n])), ms };
}

const HARNESS = `local run = dofile(arg[1]) local seconds, n, best, good = tonumber(arg[2]), 1, 0, 0
while good < 3 do
  local t = os.clock() run(n) t = os.clock() - t
  if t < seconds then n = n * 2 else good = good + 1 end
  if t > 0.05 and n / t > best then best = n / t end
end
print(best)`;

function external(program, file) {
  try {
    const args = ['-e', `arg = { ${JSON.stringify(join(HERE, file))}, "${SECONDS}" } ${HARNESS}`];
    return Number(execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
  } catch {
    return undefined;
  }
}

try {
  const { CompiledVm } = await bundle('src/script/compile/compiled-vm.ts');
  const { Vm } = await bundle('src/script/vm.ts');
  const { Budget } = await bundle('src/script/budget.ts');
  const shown = (n) => (n === undefined ? '–' : Math.round(n).toLocaleString('en-US'));
  const ratios = { fengari: [], lua54: [], luajit: [] };
  console.log(
    '| script | compiled | Fengari | lua5.3 | lua5.4 | luajit | first compile, ms |\n|---|---|---|---|---|---|---|',
  );
  for (const file of readdirSync(HERE).filter((name) => name.endsWith('.lua'))) {
    const compiled = inNode(new CompiledVm({ print: nothing, budget: new Budget(budget) }), file);
    const fengari = inNode(new Vm({ roots: [], log, budget }), file).speed;
    const [lua53, lua54, luajit] = ['lua5.3', 'lua5.4', 'luajit'].map((program) => external(program, file));
    ratios.fengari.push(compiled.speed / fengari);
    if (lua54) ratios.lua54.push(compiled.speed / lua54);
    if (luajit) ratios.luajit.push(compiled.speed / luajit);
    console.log(
      `| ${file.slice(0, -4)} | ${[compiled.speed, fengari, lua53, lua54, luajit].map(shown).join(' | ')} | ${compiled.ms.toFixed(1)} |`,
    );
  }
  const mean = (list) => Math.exp(list.reduce((sum, x) => sum + Math.log(x), 0) / list.length).toFixed(2);
  console.log(
    `\nGeometric mean of compiled: ${mean(ratios.fengari)}× Fengari, ${mean(ratios.lua54)}× lua5.4, ${mean(ratios.luajit)}× luajit (where it takes the script).`,
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}
