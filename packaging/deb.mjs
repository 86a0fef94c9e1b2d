// A Debian package of a laid out folder: control files, scripts of the maintainer, checksums, one archive.
import { createHash } from 'node:crypto';
import { chmodSync, cpSync, lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './node.mjs';
import { DESCRIPTION, MAINTAINER, ROOT, sourceDate, VERSION } from './release.mjs';
import { hasNode } from './tree.mjs';

const SCRIPTS = ['postinst', 'prerm', 'postrm'];
/** What Node's builds link to; it is for armhf that Debian's Node is needed. */
const LIBRARIES = 'libc6 (>= 2.28), libgcc-s1, libstdc++6 (>= 8)';
const NODE = 'nodejs (>= 20.16)';

/** Builds it into `folder`; returns its path. Takes the same bytes to the same package. */
export function buildDeb(stage, architecture, folder) {
  const files = readdirSync(stage, { recursive: true })
    .sort()
    .filter((path) => lstatSync(join(stage, path)).isFile());
  const bytes = files.reduce((sum, path) => sum + lstatSync(join(stage, path)).size, 0);
  const control = join(stage, 'DEBIAN');
  mkdirSync(control);
  const put = (name, text) => writeFileSync(join(control, name), text, { mode: 0o644 });
  put(
    'control',
    [
      'Package: moonwire',
      `Version: ${VERSION}`,
      `Architecture: ${architecture}`,
      `Maintainer: ${MAINTAINER}`,
      'Section: net',
      'Priority: optional',
      `Installed-Size: ${Math.ceil(bytes / 1024)}`,
      // systemd-notify, with which the service tells how it is, comes with systemd.
      `Depends: ${hasNode(architecture) ? LIBRARIES : NODE}, init-system-helpers (>= 1.54)`,
      'Recommends: systemd',
      'Suggests: socat',
      `Description: ${DESCRIPTION.split(':')[0].replace(/^An? /, '')}`,
      ...wrapped(
        `${DESCRIPTION} It frames and checks bytes natively and runs Lua in a sandbox with a budget.`,
      ),
      '',
    ].join('\n'),
  );
  put('conffiles', '/etc/moonwire/moonwire.yaml\n');
  const digest = (path) =>
    createHash('md5')
      .update(readFileSync(join(stage, path)))
      .digest('hex');
  put(
    'md5sums',
    files
      .filter((path) => !path.startsWith('etc/'))
      .map((path) => `${digest(path)}  ${path}\n`)
      .join(''),
  );
  for (const script of SCRIPTS) {
    cpSync(join(ROOT, 'packaging', script), join(control, script));
    chmodSync(join(control, script), 0o755);
  }
  const file = join(folder, `moonwire_${VERSION}_${architecture}.deb`);
  // One thread: how many there are would show in the compressed bytes.
  run('dpkg-deb', ['--root-owner-group', '--threads-max=1', '-Zxz', '-z1', '--build', stage, file], {
    env: { ...process.env, SOURCE_DATE_EPOCH: String(sourceDate()) },
  });
  return file;
}

/** Lines of an extended description. */
function wrapped(text) {
  return text.match(/\S.{0,76}(?=\s|$)/g).map((line) => ` ${line}`);
}
