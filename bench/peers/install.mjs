// Where the peers come from: programs of Debian, and Node-RED of npm in a folder outside of the dependency tree.
import { execFileSync } from 'node:child_process';
import { accessSync, constants, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const MODULES = fileURLToPath(new URL('../../node_modules', import.meta.url));
const CACHE = join(MODULES, '.cache/peers');
/** The last that runs on Node.js 20. */
const NODE_RED = '4.1.15';

/** Whether a program is in the PATH, or where Debian keeps those of the system. */
function find(program) {
  return [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin']
    .map((folder) => join(folder, program))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

function run(program, args, options = {}) {
  execFileSync(program, args, { stdio: ['ignore', 2, 2], ...options });
}

const versionIn = (folder, name) => {
  const file = join(folder, name, 'package.json');
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).version : undefined;
};

/** A program of Debian's package of the same name. `tell`: arguments that make it tell its version. */
const debian = (program, tell) => ({
  /** The program's file; undefined when it is not there. */
  where: () => find(program),
  install() {
    if (process.getuid() !== 0 || !find('apt-get')) throw new Error(`apt-get install ${program}`);
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    run('apt-get', ['update', '-q'], { env });
    run('apt-get', ['install', '-y', '-q', '--no-install-recommends', program], { env });
  },
  version() {
    // Mosquitto tells it together with its help, and ends with 3.
    const told = execFileSync('sh', ['-c', `"$0" ${tell} 2>&1 || true`, find(program)], { encoding: 'utf8' });
    return /\d+\.\d+\.\d+/.exec(told)[0];
  },
});

const nodeRed = {
  /** The folder it is installed in. */
  where: () => (versionIn(join(CACHE, 'node_modules'), 'node-red') === NODE_RED ? CACHE : undefined),
  install() {
    mkdirSync(CACHE, { recursive: true });
    writeFileSync(join(CACHE, 'package.json'), '{ "private": true }\n');
    const quiet = ['--no-audit', '--no-fund', '--loglevel=error'];
    run('npm', ['install', ...quiet, `node-red@${NODE_RED}`], { cwd: CACHE });
  },
  version: () => NODE_RED,
};

/** A package that the project has for its own tests. */
const own = (name) => ({ where: () => MODULES, version: () => versionIn(MODULES, name) });

export const PROGRAMS = {
  'node:net': { where: () => process.execPath, version: () => process.versions.node },
  Tarantool: debian('tarantool', '--version'),
  'Node-RED': nodeRed,
  aedes: own('aedes'),
  Mosquitto: debian('mosquitto', '-h'),
};

/** Sees to it that a peer is there, installs it after a `note` if there is one; returns why it is not. */
export function provide(name, note) {
  const program = PROGRAMS[name];
  if (program.where() !== undefined) return undefined;
  if (!note) return 'not here';
  note(`${name} is not here: installing`);
  try {
    program.install();
  } catch (error) {
    return error.message;
  }
  return program.where() === undefined ? 'not there after it was installed' : undefined;
}
