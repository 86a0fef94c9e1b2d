import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import t from 'tap';
import { version } from '../../src/package.js';
import { missing } from '../support/need.js';
import { answer, dpkg, emptyFolder, fileOf, unbuilt } from '../support/package.js';

/** Programs for arm64 run under this on other machines, ten times as long. */
const QEMU = process.arch === 'arm64' ? [] : ['qemu-aarch64-static', '-L', '/usr/aarch64-linux-gnu'];
const NEEDS = 'qemu-user-static libc6-arm64-cross libstdc++6-arm64-cross';
const TIME = 300_000;

t.setTimeout(TIME);

const skip = unbuilt('arm64') || (QEMU.length > 0 && missing(QEMU[0]!, NEEDS));

t.test('the package for arm64 is installed and answers', { skip, timeout: TIME }, async (t) => {
  const root = emptyFolder(t);
  dpkg(root, '--install', fileOf('arm64'));
  const lib = join(root, 'usr/lib/moonwire');
  const node = [...QEMU, join(lib, 'bin/node')];
  const [program, ...args] = node;
  const run = (...more: string[]): string =>
    execFileSync(program!, [...args, ...more], { cwd: lib, encoding: 'utf8' }).trim();
  t.equal(run('-p', 'process.arch'), 'arm64');
  t.equal(run(join(lib, 'dist/cli.js'), '--version'), version());
  run('-e', 'require("serialport")');
  t.equal(await answer(t, root, node), 'got it');
});
