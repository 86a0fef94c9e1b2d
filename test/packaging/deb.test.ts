import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { version } from '../../src/package.js';
import { missing } from '../support/need.js';
import { answer, dpkg, emptyFolder, fileOf, OWN, unbuilt } from '../support/package.js';

// Unpacking a hundred megabytes takes what the disk takes.
t.setTimeout(180_000);

t.test(
  'a package is installed, runs, is upgraded and removed',
  {
    skip: unbuilt(OWN) || missing('dpkg', 'dpkg'),
    timeout: 180_000,
  },
  async (t) => {
    const root = emptyFolder(t);
    const at = (path: string): string => join(root, path);
    dpkg(root, '--install', fileOf(OWN));
    const node = at('usr/lib/moonwire/bin/node');
    const run = (...args: string[]): string =>
      execFileSync(node, [at('usr/lib/moonwire/dist/cli.js'), ...args], { encoding: 'utf8' });
    t.equal(run('--version').trim(), version());
    t.match(run('check', at('etc/moonwire/moonwire.yaml')), /ok/);
    t.match(
      readFileSync(at('usr/bin/moonwire'), 'utf8'),
      '/usr/lib/moonwire/bin/node /usr/lib/moonwire/dist/cli.js',
    );
    t.ok(existsSync(at('usr/lib/moonwire/lua/entry.gt06.lua')));
    t.equal(await answer(t, root, [node]), 'got it');
    execFileSync(node, ['-e', 'require("serialport")'], { cwd: at('usr/lib/moonwire') });

    const settings = at('etc/moonwire/moonwire.yaml');
    writeFileSync(settings, '# mine\n');
    dpkg(root, '--force-confold', '--install', fileOf(OWN));
    t.equal(readFileSync(settings, 'utf8'), '# mine\n', 'an upgrade keeps the settings');
    mkdirSync(at('var/lib/moonwire'));
    dpkg(root, '--remove', 'moonwire');
    t.notOk(existsSync(node));
    t.equal(readFileSync(settings, 'utf8'), '# mine\n', 'removal keeps the settings');
    t.ok(existsSync(at('var/lib/moonwire')), 'and the state');
    dpkg(root, '--purge', 'moonwire');
    t.notOk(existsSync(at('etc/moonwire')));
    t.notOk(existsSync(at('var/lib/moonwire')));
  },
);

t.test(
  'the unit of the package',
  {
    skip: unbuilt(OWN) || missing('systemd-analyze', 'systemd'),
  },
  async (t) => {
    const root = emptyFolder(t);
    execFileSync('dpkg-deb', ['-x', fileOf(OWN), root]);
    // It is checked against a system where the program is installed.
    const unit = join(root, 'usr/lib/systemd/system/moonwire.service');
    t.match(readFileSync(unit, 'utf8'), 'ExecStart=/usr/bin/moonwire engine -f /etc/moonwire/moonwire.yaml');
    writeFileSync(
      unit,
      readFileSync(unit, 'utf8').replace('=/usr/bin/moonwire', `=${root}/usr/bin/moonwire`),
    );
    execFileSync('systemd-analyze', ['verify', '--man=no', unit], { stdio: 'pipe' });
  },
);

t.test(
  'what each package holds',
  {
    skip: ['amd64', 'arm64', 'armhf'].map(unbuilt).find(Boolean) || missing('dpkg-deb', 'dpkg'),
  },
  async (t) => {
    const BINARIES: Record<string, RegExp> = {
      amd64: /linux-x64\/[^\n]*glibc\.node$/m,
      arm64: /linux-arm64\/[^\n]*armv8\.glibc\.node$/m,
      armhf: /linux-arm\/[^\n]*armv7\.glibc\.node$/m,
    };
    for (const [architecture, binary] of Object.entries(BINARIES)) {
      const list = execFileSync('dpkg-deb', ['-c', fileOf(architecture)], {
        encoding: 'utf8',
        maxBuffer: 2 ** 24,
      });
      const files = list.split('\n').flatMap((line) => / (\.\/.*[^/])$/.exec(line)?.[1] ?? []);
      t.match(list, binary, `${architecture} has serialport's binary`);
      t.strictSame(
        files.filter((file) => /\.(map|ts|gyp|c|cc|h)$|musl|darwin-|win32-x/.test(file)),
        [],
        'nothing to compile or of other platforms',
      );
      const root = list.split('\n').filter((line) => line !== '' && !/ root\/root /.test(line));
      t.strictSame(root, [], 'all is owned by root');
      t.equal(files.includes('./usr/lib/moonwire/bin/node'), architecture !== 'armhf');
    }
  },
);
