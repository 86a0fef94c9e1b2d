// Runs the core of the tests on another Node than this one: `node .ci/core.mjs arm64` on Node for arm64 (under qemu
// where the machine is not one), `node .ci/core.mjs node24` on Node 24. Files named after that are run in its place.
//
// The tests are bundled here first, since compiling each file would be most of the time under qemu. What a test
// starts as `moonwire` is dist/, as everywhere; tap and serialport are loaded from node_modules.
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { NEWEST, nodeProgram, PACKAGED } from '../packaging/node.mjs';
import { CORE, CORE_ARM64 } from './core-tests.mjs';

const TARGETS = {
  arm64: { processor: 'arm64', version: PACKAGED, tests: CORE_ARM64 },
  node24: { processor: process.arch, version: NEWEST, tests: CORE },
};
/** What a test may wait for, in seconds, at tap's own limit: qemu is some ten times slower. */
const TIMEOUT = { TAP_TIMEOUT: '300' };
/** No file may take longer, in milliseconds. */
const FILE_MS = 600_000;

const root = fileURLToPath(new URL('..', import.meta.url));

/** One file a test, with what it imports, beside the fixtures of tap; `import.meta.url` stays that of the source. */
async function bundle(files, outdir) {
  await build({
    entryPoints: files,
    outdir,
    outbase: root,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'error',
    external: ['tap', 'serialport', '@serialport/*', 'cbor-extract', 'esbuild', 'typescript', 'wasmoon'],
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
    },
    plugins: [{ name: 'import.meta.url', setup: keepUrls }],
  });
}

function keepUrls({ onLoad }) {
  onLoad({ filter: /\/(src|test)\/[^.]*[^/]*\.ts$/ }, ({ path }) => ({
    loader: 'ts',
    contents: readFileSync(path, 'utf8').replaceAll(
      'import.meta.url',
      JSON.stringify(pathToFileURL(path).href),
    ),
  }));
}

/** Runs one test; the output counts only when it fails. */
function runTest(node, file) {
  return new Promise((resolve) => {
    const started = Date.now();
    const child = spawn(node, [file], { cwd: root, env: { ...process.env, ...TIMEOUT }, timeout: FILE_MS });
    let output = '';
    const take = (text) => {
      output += text;
    };
    child.stdout.setEncoding('utf8').on('data', take);
    child.stderr.setEncoding('utf8').on('data', take);
    child.on('close', (code, signal) => {
      const passed = /^# \{ total: \d+, pass: (\d+)/m.exec(output)?.[1];
      const seconds = Math.round((Date.now() - started) / 1000);
      resolve({
        ok: code === 0 && passed !== undefined,
        ended: code ?? signal,
        passed: Number(passed),
        seconds,
        output,
      });
    });
  });
}

/** Runs all, as many at a time as there are processors; returns the files that failed. */
async function runAll(node, tests, jobs) {
  const left = [...tests];
  const failed = [];
  let assertions = 0;
  const worker = async () => {
    for (let test = left.shift(); test; test = left.shift()) {
      const { ok, ended, passed, seconds, output } = await runTest(node, test.bundle);
      console.log(`${ok ? 'ok' : `not ok (${ended})`} ${test.source} # ${seconds} s`);
      if (ok) assertions += passed;
      else {
        failed.push(test);
        console.log(output.split('\n').slice(-200).join('\n'));
      }
    }
  };
  await Promise.all(Array.from({ length: jobs }, worker));
  console.log(`# ${tests.length - failed.length} of ${tests.length} files, ${assertions} assertions`);
  return failed;
}

const [name, ...named] = process.argv.slice(2);
const target = TARGETS[name];
if (!target) throw new Error(`${name}: not one of ${Object.keys(TARGETS).join(', ')}`);
const node = nodeProgram(target.processor, target.version);
const about = spawnSync(node, ['-p', '"Node " + process.version + " for " + process.arch'], {
  encoding: 'utf8',
});
if (about.status !== 0) throw new Error(`${node} does not run:\n${about.error ?? about.stderr}`);
console.log(`# ${about.stdout.trim()}`);

const sources = (named.length > 0 ? named : target.tests).map((file) => join(root, file));
const outdir = join(root, '.tap/core', name);
rmSync(outdir, { recursive: true, force: true });
await bundle(sources, outdir);
const tests = sources.map((file) => {
  const source = relative(root, file);
  return { source, bundle: join(outdir, source.replace(/ts$/, 'mjs')) };
});
let failed = await runAll(node, tests, availableParallelism());
if (failed.length > 0) {
  // As .ci/run does: what a machine short of time does must be told from a mistake. Both are printed.
  console.log('# once more, each by itself:');
  failed = await runAll(node, failed, 1);
}
process.exit(failed.length > 0 ? 1 : 0);
