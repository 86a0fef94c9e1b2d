/** Debian packages as `npm run package` has built them, installed into folders. */

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Test } from 'tap';
import { version } from '../../src/package.js';
import { ROOT } from './cli.js';
import { freePort } from './ports.js';

/** Debian's name of this machine's architecture. */
export const OWN = process.arch === 'arm64' ? 'arm64' : 'amd64';

export const fileOf = (architecture: string): string =>
  join(ROOT, `build/moonwire_${version()}-1_${architecture}.deb`);

/** `npm test` fetches no Node for other machines: what `npm run package` has not built is skipped, except in CI. */
export function unbuilt(architecture: string): string | false {
  if (existsSync(fileOf(architecture))) return false;
  const reason = `needs ${fileOf(architecture)}: npm run package`;
  if (process.env.CI === 'true') throw new Error(reason);
  return reason;
}

/** A folder that is removed after the test. */
export function emptyFolder(t: Test): string {
  const path = mkdtempSync(join(tmpdir(), 'moonwire-deb-'));
  t.teardown(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** dpkg with a system of its own below `root`, whose scripts run with `DPKG_ROOT`. */
export function dpkg(root: string, ...args: string[]): void {
  for (const name of ['info', 'updates', 'triggers']) {
    mkdirSync(join(root, 'var/lib/dpkg', name), { recursive: true });
  }
  for (const name of ['status', 'available'])
    writeFileSync(join(root, 'var/lib/dpkg', name), '', { flag: 'a' });
  const force = ['--force-script-chrootless', '--force-not-root', '--force-depends', '--force-architecture'];
  execFileSync('dpkg', [`--root=${root}`, ...force, ...args], { stdio: 'pipe' });
}

/** Runs the installed engine with `node` and asks it over TCP; returns what it answers. */
export async function answer(t: Test, root: string, node: string[]): Promise<string> {
  const port = await freePort();
  const work = emptyFolder(t);
  writeFileSync(join(work, 'entry.lua'), 'function on_message(msg, conn) conn:send("got " .. msg) end\n');
  writeFileSync(
    join(work, 'x.yaml'),
    [
      'engine:',
      '  apiServer: { port: 0 }',
      '  meshPoint: { port: 0 }',
      `  servers: [{ name: devices, port: ${port}, bind: 127.0.0.1, entry: ${work}/entry.lua }]`,
      `store: { path: ${work}/data }`,
    ].join('\n'),
  );
  const [program, ...args] = [...node, join(root, 'usr/lib/moonwire/dist/cli.js')];
  const child = spawn(program!, [...args, 'engine', '-f', join(work, 'x.yaml')], {
    cwd: work,
    env: { PATH: process.env.PATH },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = once(child, 'close');
  t.teardown(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  let log = '';
  await new Promise<void>((resolve, reject) => {
    child.stderr.setEncoding('utf8').on('data', (more: string) => {
      log += more;
      if (/engine \S+ runs/.test(log)) resolve();
    });
    child.on('close', () => reject(new Error(`ended: ${log}`)));
  });
  const socket = connect(port, '127.0.0.1');
  socket.end('it');
  const received = await text(socket);
  child.kill('SIGTERM');
  t.strictSame(await ended, [0, null], log);
  return received;
}
