// An engine that is changed while a crowd of devices talks to it, and how long these wait for their answers meanwhile.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePorts } from '../support/ports.mjs';
import { CLI, ServerProcess } from '../support/server.mjs';
import { median, pause } from '../support/statistics.mjs';

const CLIENTS = 1000;
const RATE = 5000;
/** How long the steady state is looked at before each change. */
const STEADY_MS = 2000;
/** Between a change and the steady state before the next one. */
const QUIET_MS = 500;
const CROWD = fileURLToPath(new URL('crowd.mjs', import.meta.url));

/** The clock of all processes of the machine, in milliseconds. */
const now = () => Number(process.hrtime.bigint()) / 1e6;

/** An engine, and devices that talk to it. */
export class Load {
  faults = { lost: 0, repeated: 0, reordered: 0, closed: 0 };

  /** Starts both. `script`: text of the entry. */
  static async start(script) {
    const load = new Load();
    load.folder = mkdtempSync(join(tmpdir(), 'moonwire-bench-'));
    load.entry = join(load.folder, 'entry.lua');
    [load.port, load.api] = await freePorts(2);
    writeFileSync(load.entry, script);
    load.configure({});
    const { file } = load;
    load.engine = await new ServerProcess([CLI, 'engine', '-f', file]).ready();
    load.pid = load.engine.child.pid;
    load.crowd = fork(CROWD, [load.port, CLIENTS, RATE].map(String), { serialization: 'advanced' });
    await once(load.crowd, 'message');
    await pause(QUIET_MS);
    return load;
  }

  get file() {
    return join(this.folder, 'bench.yaml');
  }

  /** Saves the configuration. `limits`: further ones of the server; `more`: further servers. */
  configure(limits, more = []) {
    const server = {
      name: 'bench',
      bind: '127.0.0.1',
      port: this.port,
      entry: this.entry,
      byteCodeExpires: 0,
      limits: { acceptsPerSecond: 100_000, idleSeconds: 0, ...limits },
    };
    const config = {
      engine: { name: 'bench', apiServer: { port: this.api }, servers: [server, ...more] },
      store: { path: join(this.folder, 'data') },
    };
    writeFileSync(this.file, JSON.stringify(config));
  }

  async request(method, path, body) {
    const answer = await fetch(`http://127.0.0.1:${this.api}${path}`, {
      method,
      headers: { 'content-type': 'application/json' },
      ...(body && { body: JSON.stringify(body) }),
    });
    if (!answer.ok) throw new Error(`${method} ${path}: ${await answer.text()}`);
    return answer.json();
  }

  /**
   * Makes a change; returns how many milliseconds it took, and the waits of all requests that left in the steady state
   * right before and of those that left while it was made, in milliseconds and in rising order.
   */
  async measure(change) {
    await pause(QUIET_MS);
    await this.collect();
    await pause(STEADY_MS);
    const from = now();
    await change();
    const to = now();
    const { left, waits } = await this.collect();
    const waitsOf = (is) => waits.filter((_, i) => is(left[i])).sort();
    return {
      ms: to - from,
      steady: waitsOf((at) => at < from),
      during: waitsOf((at) => at >= from && at <= to),
    };
  }

  /** What was answered since it was last asked for. */
  async collect() {
    this.crowd.send('collect');
    const [told] = await once(this.crowd, 'message');
    const { lost, ...others } = told.faults;
    this.faults = { lost: this.faults.lost + lost, ...others };
    return told;
  }

  async stop() {
    this.crowd?.kill('SIGKILL');
    // After a restart it is another one, which is nobody's child here.
    process.kill(this.pid, 'SIGTERM');
    while (isAlive(this.pid)) await pause(20);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A row of the table for rounds of {@link Load.measure}: its figures are those of the median round. */
export function pauseRow(what, rounds) {
  const of = (name, share) => median(rounds.map((round) => quantile(round[name], share)));
  const worst = (name) => Math.max(...rounds.map((round) => round[name].at(-1))).toFixed(0);
  const told = (name) =>
    `p50 ${of(name, 0.5).toFixed(1)}, p99 ${of(name, 0.99).toFixed(1)}, longest ${of(name, 1).toFixed(1)} ms`;
  return {
    what,
    figure: `${of('during', 1).toFixed(0)} ms`,
    details: [
      `${told('during')} in the ${median(rounds.map(({ ms }) => ms)).toFixed(0)} ms it takes`,
      `before ${told('steady')}`,
      `p99 ${(of('during', 0.99) / of('steady', 0.99)).toFixed(1)}×`,
      `longest of ${rounds.length} rounds ${worst('during')} against ${worst('steady')} ms`,
    ].join('; '),
  };
}

/** What must not have happened. */
export function faultsRow(what, { lost, repeated, reordered, closed }) {
  const sum = lost + repeated + reordered + closed;
  return {
    what: `${what}: messages lost, repeated, out of order, connections closed`,
    figure: String(sum),
    budget: '0',
    met: sum === 0,
    details: `${CLIENTS} clients, ${RATE} messages/s: ${lost}, ${repeated}, ${reordered}, ${closed}`,
  };
}

function quantile(sorted, share) {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

function isAlive(pid) {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
