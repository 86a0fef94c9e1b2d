// Makes a fresh clone ready: checks Node and installs the locked packages when they are missing or stale.
// Run by `npm start`, `npm test` and `npm run bench`, so that these need nothing done by hand.
import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 16)) {
  console.error(`Moonwire needs Node.js 20.16 or newer; this is ${process.version}.`);
  process.exit(1);
}

const modified = (file) => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
if (modified('node_modules/.package-lock.json') < modified('package-lock.json')) {
  // Not `npm ci`: it refuses a lock file without the optional packages of other platforms, which a registry mirror
  // may not carry. This takes the locked versions and leaves the lock file as it is.
  const npm = spawnSync('npm', ['install', '--no-save', '--no-audit', '--no-fund'], { stdio: 'inherit' });
  if (npm.status !== 0) process.exit(npm.status ?? 1);
}
