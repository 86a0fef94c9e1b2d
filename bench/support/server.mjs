// Servers as processes of their own, and what Linux tells about them.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const BENCH = fileURLToPath(new URL('..', import.meta.url));
/** The command under test. */
export const CLI = join(BENCH, '../dist/cli.js');
/** Linux counts CPU time of processes in hundredths of a second, whatever its clock. */
const MS_PER_TICK = 10;
const START_TIMEOUT_MS = 20_000;
const LISTENING = /(?<!API )listening on .*?(\d+)(?: with TLS)?["\n]/;

/** Anonymous resident memory of a process in bytes; 0 once it has ended. */
export function rssAnonOf(pid) {
  return memoryOf(pid).anonymous;
}

/** Resident memory of a process in bytes: of its own, and in all, with pages of files such as Node's program. */
export function memoryOf(pid) {
  let status = '';
  try {
    status = readFileSync(`/proc/${pid}/status`, 'utf8');
  } catch {
    // It has ended.
  }
  const bytes = (name) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0) * 1024;
  return { anonymous: bytes('RssAnon'), all: bytes('VmRSS') };
}

/** A running server that said where it listens. */
export class ServerProcess {
  /** Milliseconds from the start of the process to the line that says it listens. */
  startMs = 0;
  port = 0;

  /**
   * `program`: Node.js unless told; `listening`: matches what it says once it listens, first of all the port; `signal`:
   * the one that ends it.
   */
  constructor(
    args,
    release = () => {},
    { program = process.execPath, listening = LISTENING, signal = 'SIGTERM' } = {},
  ) {
    this.release = release;
    this.listening = listening;
    this.signal = signal;
    this.output = '';
    this.started = performance.now();
    this.child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  }

  /** Resolves when it listens. */
  ready() {
    return new Promise((resolve, reject) => {
      const fail = (why) => {
        clearTimeout(timer);
        reject(new Error(`${this.child.spawnargs.join(' ')}: ${why}\n${this.output}`));
        void this.stop();
      };
      const timer = setTimeout(() => fail('does not listen'), START_TIMEOUT_MS);
      const read = (text) => {
        if (this.port !== 0) return;
        this.output += text;
        const listening = this.listening.exec(this.output);
        if (!listening) return;
        this.startMs = performance.now() - this.started;
        this.port = Number(listening[1]);
        clearTimeout(timer);
        resolve(this);
      };
      this.child.stdout.setEncoding('utf8').on('data', read);
      this.child.stderr.setEncoding('utf8').on('data', read);
      this.child.once('exit', (code) => fail(`ended with ${code}`));
    });
  }

  /** CPU time used so far, in milliseconds: all threads, user and system. */
  cpuMs() {
    // Behind the name in parentheses, which may contain spaces, utime and stime are fields 12 and 13.
    const fields = readFileSync(`/proc/${this.child.pid}/stat`, 'utf8').split(') ').at(-1).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK;
  }

  /** Anonymous resident memory in bytes. */
  rssAnon() {
    return rssAnonOf(this.child.pid);
  }

  /** Resident memory in bytes, of its own and in all. */
  memory() {
    return memoryOf(this.child.pid);
  }

  async stop() {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const ended = new Promise((resolve) => this.child.once('exit', resolve));
      this.child.kill(this.signal);
      await ended;
    }
    this.release();
  }
}

/**
 * The built engine with one server that runs lua/`script`.lua, over TCP unless told; its store is a folder of its own.
 * `more`: further settings of the server; `compile`: as in the configuration; `engine`: further settings of the engine;
 * `others`: names of further servers like it; `flags`: of Node.
 */
export function startEngine(
  script,
  more = {},
  compile = 'auto',
  engine = {},
  { others = [], flags = [] } = {},
) {
  const folder = mkdtempSync(join(tmpdir(), 'moonwire-bench-'));
  const config = {
    engine: {
      name: 'bench',
      ...engine,
      apiServer: { port: 0 },
      servers: ['bench', ...others].map((name) => ({
        name,
        bind: '127.0.0.1',
        port: 0,
        entry: join(BENCH, 'lua', `${script}.lua`),
        ...more,
        limits: { connections: 20_000, acceptsPerSecond: 100_000, idleSeconds: 0, ...more.limits },
      })),
    },
    script: { roots: [join(BENCH, 'lua')], compile },
    store: { path: join(folder, 'data') },
  };
  const file = join(folder, 'bench.yaml');
  writeFileSync(file, JSON.stringify(config));
  return new ServerProcess([...flags, CLI, 'engine', '-f', file], () =>
    rmSync(folder, { recursive: true, force: true }),
  ).ready();
}

/** The bare server of node:net, or of node:tls with a `tls`, that does the same as lua/`script`.lua. */
export function startBare(script, tls) {
  const files = tls ? [tls.cert, tls.key] : [];
  return new ServerProcess([join(BENCH, 'peers/bare.mjs'), script, ...files]).ready();
}

/** The server of peers/echo.mjs that does the same as lua/echo_`name`.lua, over TLS with a `tls`. */
export function startPeer(name, tls) {
  const files = tls ? [tls.cert, tls.key] : [];
  return new ServerProcess([join(BENCH, 'peers/echo.mjs'), name, ...files]).ready();
}

/** The bare node:net server that speaks a device's protocol. */
export function startDevice(protocol) {
  return new ServerProcess([join(BENCH, 'peers/devices.mjs'), protocol]).ready();
}
