// What a Debian package installs, laid out in a folder: the bundle with the Lua library and the boards, of
// node_modules only what the bundle loads (serialport, without the binaries of other platforms), and Node.
import { chmodSync, cpSync, lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { gzipSync } from 'node:zlib';
import { fetchNode, PACKAGED, run } from './node.mjs';
import { MAINTAINER, ROOT, sourceDate, VERSION } from './release.mjs';

/**
 * By Debian's name of the architecture: Node's, `strip` for it, and which of serialport's binaries it loads. There
 * is no current Node for armhf in npm: Debian's is used there.
 */
const PLATFORMS = {
  amd64: { processor: 'x64', strip: 'x86_64-linux-gnu-strip', prebuilds: /^linux-x64\/.*glibc/ },
  arm64: { processor: 'arm64', strip: 'aarch64-linux-gnu-strip', prebuilds: /^linux-arm64\/.*glibc/ },
  armhf: { prebuilds: /^linux-arm\/.*glibc/ },
};

/** Dependencies of serialport that are headers for its compilation. */
const COMPILE_TIME = ['node-addon-api'];

/** Whether the package of an architecture has Node inside. */
export const hasNode = (architecture) => PLATFORMS[architecture].processor !== undefined;

/** Lays out the program without Node in the folder `lib`. */
export function layOutProgram(lib, architecture) {
  const { prebuilds } = PLATFORMS[architecture];
  copy('dist', lib, (path) => /\.js$/.test(path));
  for (const folder of ['lua', 'boards']) copy(folder, lib, (path) => !path.endsWith('README.md'));
  copy('package.json', lib);
  for (const path of dependencyFolders('serialport')) {
    copy(path, lib, (file) => isLoaded(file, file.slice(path.length + 1), prebuilds));
  }
  normalise(lib);
}

/** Lays out all that a package installs, below `stage`. */
export function layOut(stage, architecture) {
  const { processor, strip } = PLATFORMS[architecture];
  const lib = join(stage, 'usr/lib/moonwire');
  layOutProgram(lib, architecture);

  const docs = join(stage, 'usr/share/doc/moonwire');
  copy('configs', docs, (path) => !path.endsWith('.service'), 'examples');
  write(join(docs, 'changelog.gz'), gzipSync(readFileSync(join(ROOT, 'CHANGELOG.md')), { level: 9 }));
  write(join(docs, 'changelog.Debian.gz'), gzipSync(debianChangelog(), { level: 9 }));
  copy('README.md', docs);
  copy('SECURITY.md', docs);

  let node = 'node';
  let licence = '';
  if (processor) {
    const folder = fetchNode(processor, PACKAGED);
    node = '/usr/lib/moonwire/bin/node';
    mkdirSync(join(lib, 'bin'));
    // Symbols and debugging sections are a seventh of it; those that add-ons link to stay.
    run(strip, ['--strip-unneeded', '-o', join(lib, 'bin/node'), join(folder, 'bin/node')]);
    licence = readFileSync(join(folder, 'LICENSE'), 'utf8');
  }
  write(join(docs, 'copyright'), copyright(licence));
  write(join(stage, 'usr/bin/moonwire'), `#!/bin/sh\nexec ${node} /usr/lib/moonwire/dist/cli.js "$@"\n`);
  write(join(stage, 'usr/lib/systemd/system/moonwire.service'), unit());
  copy('packaging/moonwire.yaml', join(stage, 'etc/moonwire'), undefined, 'moonwire.yaml');
  write(
    join(stage, 'usr/share/man/man1/moonwire.1.gz'),
    gzipSync(readFileSync(join(ROOT, 'packaging/moonwire.1')), { level: 9 }),
  );
  if (processor)
    copy('packaging/lintian-overrides', join(stage, 'usr/share/lintian/overrides'), undefined, 'moonwire');
  normalise(stage);
}

/** Copies a file or folder of the repository into `to`, files for which `wanted` says so. */
function copy(path, to, wanted = () => true, name = path) {
  const source = join(ROOT, path);
  const isFile = (file) => lstatSync(file).isFile();
  if (isFile(source)) return write(join(to, name), readFileSync(source));
  for (const entry of readdirSync(source, { recursive: true }).sort()) {
    const file = join(source, entry);
    if (isFile(file) && wanted(join(path, entry))) cpSync(file, mkdirs(join(to, name, entry)));
  }
}

function mkdirs(file) {
  mkdirSync(dirname(file), { recursive: true });
  return file;
}

function write(file, content) {
  writeFileSync(mkdirs(file), content);
}

/** The folders below node_modules of a package and of what it needs, as Node finds them, from the root. */
function dependencyFolders(name) {
  const found = new Set();
  const visit = (wanted, from) => {
    const paths = createRequire(join(from, 'x.js')).resolve.paths(wanted);
    const folder = paths.map((path) => join(path, wanted)).find((path) => isPackage(path));
    if (!folder) throw new Error(`${wanted}, which ${from} needs, is not installed`);
    if (found.has(folder)) return;
    found.add(folder);
    for (const next of Object.keys(manifest(folder).dependencies ?? {})) {
      if (!COMPILE_TIME.includes(next)) visit(next, folder);
    }
  };
  visit(name, ROOT);
  return [...found].map((folder) => relative(ROOT, folder)).sort();
}

const manifest = (folder) => JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
const isPackage = (folder) =>
  lstatSync(join(folder, 'package.json'), { throwIfNoEntry: false })?.isFile() ?? false;

/** Whether a file of a dependency, `file` within it, is loaded at run time, or its licence. */
function isLoaded(path, file, prebuilds) {
  if (/(^|\/)(node_modules|test|bin|docs|example)\//.test(file)) return false;
  if (file.startsWith('prebuilds/')) return prebuilds.test(file.slice('prebuilds/'.length));
  return (
    (/\.js$/.test(file) && !isScript(join(ROOT, path))) || /^(package\.json|licen[cs]e(\.\w+)?)$/i.test(file)
  );
}

/** The unit of configs/, for where a package puts its things; what its head tells to do, the package has done. */
function unit() {
  const text = readFileSync(join(ROOT, 'configs/moonwire.service'), 'utf8');
  const start = text.indexOf('[Unit]');
  const command = '/usr/bin/env moonwire engine';
  if (start < 0 || !text.includes(command)) throw new Error('configs/moonwire.service is not as expected');
  const head =
    '# Settings of your own: systemctl edit moonwire. Secrets: NAME=value lines in /etc/moonwire/environment, 0600.\n' +
    '# `moonwire doctor -f /etc/moonwire/moonwire.yaml` tells which memory profile fits the board.\n\n';
  return head + text.slice(start).replace(command, '/usr/bin/moonwire engine');
}

/** The changes are those of changelog.gz; Debian wants to know the version and the day from a file of this form. */
function debianChangelog() {
  const date = new Date(sourceDate() * 1000).toUTCString().replace('GMT', '+0000');
  return `moonwire (${VERSION}) stable; urgency=medium\n\n  * See changelog.gz.\n\n -- ${MAINTAINER}  ${date}\n`;
}

function copyright(nodeLicence) {
  const ours = readFileSync(join(ROOT, 'LICENSE'), 'utf8');
  const node = nodeLicence && `\n\nFiles: /usr/lib/moonwire/bin/node (Node.js)\n\n${nodeLicence}`;
  return `Moonwire\n\n${ours}\nLibraries in /usr/lib/moonwire/node_modules have their licences beside them.${node}`;
}

/** Whether a file is a program by its first line. */
const isScript = (file) => readFileSync(file).subarray(0, 2).toString('latin1') === '#!';

/** The same modes whatever the umask of whoever builds. */
function normalise(folder) {
  for (const entry of readdirSync(folder, { recursive: true })) {
    const file = join(folder, entry);
    const isOpen = lstatSync(file).isDirectory() || file.endsWith('/bin/node') || isScript(file);
    chmodSync(file, isOpen ? 0o755 : 0o644);
  }
  chmodSync(folder, 0o755);
}
