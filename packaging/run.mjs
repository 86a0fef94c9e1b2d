// `npm run package`: the packages into build/, or only those named: tarball, amd64, arm64, armhf.
import { mkdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { buildDeb } from './deb.mjs';
import { run } from './node.mjs';
import { ROOT } from './release.mjs';
import { layOut } from './tree.mjs';

const BUILDERS = {
  tarball: (build) =>
    join(
      build,
      run('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', build], { cwd: ROOT }).trim(),
    ),
  amd64: (build) => deb(build, 'amd64'),
  arm64: (build) => deb(build, 'arm64'),
  armhf: (build) => deb(build, 'armhf'),
};

function deb(build, architecture) {
  const stage = join(build, `stage-${architecture}`);
  rmSync(stage, { recursive: true, force: true });
  try {
    layOut(stage, architecture);
    return buildDeb(stage, architecture, build);
  } finally {
    rmSync(stage, { recursive: true, force: true });
  }
}

const named = process.argv.slice(2);
const unknown = named.filter((name) => !Object.hasOwn(BUILDERS, name));
if (unknown.length > 0)
  throw new Error(`${unknown.join(', ')}: not one of ${Object.keys(BUILDERS).join(', ')}`);
const build = join(ROOT, 'build');
mkdirSync(build, { recursive: true });
for (const name of named.length > 0 ? named : Object.keys(BUILDERS)) {
  const file = BUILDERS[name](build);
  console.log(`${file} ${(statSync(file).size / 2 ** 20).toFixed(1)} MiB`);
}
