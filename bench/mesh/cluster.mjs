// A centre and engines as processes of their own.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePorts } from '../support/ports.mjs';
import { pause } from '../support/statistics.mjs';

const BENCH = fileURLToPath(new URL('..', import.meta.url));
const CLI = join(BENCH, '../dist/cli.js');
const MS_PER_TICK = 10;
const PATIENCE_MS = 30_000;

/** A process and what Linux tells about it. */
export class Peer {
  output = '';

  constructor(args, options = {}) {
    this.child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'pipe'], ...options });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        this.output = (this.output + text).slice(-100_000);
      });
    }
  }

  /** The first match of its output. */
  async says(pattern) {
    const deadline = Date.now() + PATIENCE_MS;
    for (;;) {
      const match = pattern.exec(this.output);
      if (match) return match;
      if (this.child.exitCode !== null || Date.now() > deadline)
        throw new Error(`${this.child.spawnargs.join(' ')} does not say ${pattern}:\n${this.output}`);
      await pause(20);
    }
  }

  /** CPU time used so far, in milliseconds: all threads, user and system. */
  cpuMs() {
    const fields = readFileSync(`/proc/${this.child.pid}/stat`, 'utf8').split(') ').at(-1).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK;
  }

  /** Anonymous resident memory in bytes. */
  rssAnon() {
    const status = readFileSync(`/proc/${this.child.pid}/status`, 'utf8');
    return Number(/^RssAnon:\s+(\d+) kB/m.exec(status)[1]) * 1024;
  }

  async stop() {
    if (this.child.exitCode !== null) return;
    const ended = once(this.child, 'exit');
    this.child.kill('SIGTERM');
    await ended;
  }
}

/** Starts a centre and `count` engines with a TCP server and a WebSocket server; resolves when all have joined. */
export async function startCluster(count) {
  const folder = mkdtempSync(join(tmpdir(), 'moonwire-bench-'));
  const peers = [];
  const stop = async () => {
    await Promise.all(peers.map((peer) => peer.stop()));
    rmSync(folder, { recursive: true, force: true });
  };
  const start = (command, name, config) => {
    const file = join(folder, `${name}.yaml`);
    writeFileSync(file, JSON.stringify({ ...config, store: { path: join(folder, name) } }));
    const peer = new Peer([CLI, command, '-f', file]);
    peers.push(peer);
    return peer;
  };
  try {
    const [registry, api, ...free] = await freePorts(2 + 4 * count);
    const center = start('center', 'center', {
      center: { registry: { port: registry }, apiServer: { port: api }, joinToken: 'bench' },
    });
    const limits = { connections: 20_000, acceptsPerSecond: 100_000, idleSeconds: 0 };
    const entry = join(BENCH, 'lua/subscriber.lua');
    const engines = [];
    for (let i = 0; i < count; i++) {
      const [api, mesh, tcp, ws] = free.splice(0, 4);
      const ports = { api, mesh, tcp, ws };
      const peer = start('engine', `engine-${i}`, {
        engine: {
          name: `engine-${i}`,
          centerRegistry: `127.0.0.1:${registry}`,
          joinToken: 'bench',
          apiServer: { port: ports.api },
          meshPoint: { port: ports.mesh },
          servers: [
            { name: 'tcp', port: ports.tcp, bind: '127.0.0.1', entry, limits },
            { name: 'ws', port: ports.ws, bind: '127.0.0.1', protocol: 'websocket', entry, limits },
          ],
        },
      });
      engines.push(Object.assign(peer, { ports }));
    }
    await joined(api, count);
    for (const { ports } of engines) await ready(ports.api);
    return { center: Object.assign(center, { api, registry }), engines, folder, stop };
  } catch (error) {
    error.message += peers.map(({ output }) => `\n${output}`).join('');
    await stop();
    throw error;
  }
}

/** Waits until the servers of an engine listen. */
async function ready(api) {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const answer = await fetch(`http://127.0.0.1:${api}/readyz`).catch(() => undefined);
    if (answer?.ok) return;
    if (Date.now() > deadline) throw new Error(`the engine at ${api} is not ready`);
    await pause(50);
  }
}

async function joined(api, count) {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const answer = await fetch(`http://127.0.0.1:${api}/v1/engines`).catch(() => undefined);
    const engines = answer?.ok ? (await answer.json()).engines : [];
    if (engines.filter(({ connected }) => connected).length === count) return;
    if (Date.now() > deadline) throw new Error(`only ${engines.length} of ${count} engines joined`);
    await pause(50);
  }
}
