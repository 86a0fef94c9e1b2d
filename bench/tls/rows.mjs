// What TLS costs: CPU a message, handshakes and memory, and what a crowd of new clients does to those that are in.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { close, exchange, frame, open } from '../support/clients.mjs';
import { startBare, startEngine } from '../support/server.mjs';
import { median, pause } from '../support/statistics.mjs';

const CONNECTIONS = 50;
const ROUNDS = 5;
const MESSAGES = 20_000;
const SIZES = [128, 512];
const BUDGET = 2;

const CROWD = 10_000;
const QUIET_MS = 5000;

export async function tlsRows(note) {
  const folder = mkdtempSync(join(tmpdir(), 'moonwire-bench-'));
  const tls = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const names = ['-subj', '/CN=bench', '-days', '2', '-keyout', tls.key, '-out', tls.cert];
  execFileSync('openssl', ['req', '-x509', ...key, ...names], { stdio: 'pipe' });
  try {
    const rows = [];
    for (const size of SIZES) {
      note(`TLS: echo of ${size} bytes`);
      rows.push(await echoRow(size, tls));
    }
    note(`TLS: ${CROWD} clients at once`);
    return [...rows, ...(await crowdRows(tls))];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Microseconds of CPU a message at each of three servers, in turn. */
async function echoRow(size, tls) {
  const servers = [
    await startEngine('echo', { tls }),
    await startBare('echo', tls),
    await startEngine('echo'),
  ];
  const sockets = [];
  try {
    for (const [i, { port }] of servers.entries())
      sockets.push(await open(port, CONNECTIONS, { tls: i < 2 }));
    const bytes = frame(size);
    const work = async (i) => {
      const before = servers[i].cpuMs();
      await exchange(sockets[i], bytes, 1, MESSAGES);
      return ((servers[i].cpuMs() - before) * 1000) / MESSAGES;
    };
    for (const i of servers.keys()) await work(i);
    const rounds = [];
    for (let round = 0; round < ROUNDS; round++) {
      const costs = [];
      for (const i of servers.keys()) costs.push(await work(i));
      rounds.push(costs);
    }
    const [engine, bare, plain] = servers.map((_, i) => median(rounds.map((costs) => costs[i])));
    const ratio = median(rounds.map(([ours, theirs]) => ours / theirs));
    return {
      what: `TLS: CPU a message, ${size} bytes, request and reply`,
      figure: `${ratio.toFixed(2)}×`,
      budget: `≤ ${BUDGET}×`,
      met: ratio <= BUDGET,
      details: `${engine.toFixed(1)} µs against ${bare.toFixed(1)} µs of bare node:tls; without TLS ${plain.toFixed(1)} µs`,
    };
  } finally {
    await close(sockets.flat());
    for (const server of servers) await server.stop();
  }
}

/** A crowd dials while one client asks and asks. */
async function crowdRows(tls) {
  const engine = await startEngine('echo', { tls });
  const [regular] = await open(engine.port, 1, { tls: true });
  let crowd;
  try {
    const idle = await waits(regular, pause(2000));
    await pause(QUIET_MS);
    const [memory, cpu] = [engine.rssAnon(), engine.cpuMs()];
    const program = fileURLToPath(new URL('crowd.mjs', import.meta.url));
    crowd = spawn(process.execPath, [program, String(engine.port), String(CROWD)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const lost = once(crowd, 'exit').then(([code]) => {
      throw new Error(`the crowd ended with ${code}`);
    });
    const inside = Promise.race([once(crowd.stdout, 'data').then(([text]) => JSON.parse(text)), lost]);
    const busy = await waits(regular, inside);
    const { seconds, refused } = await inside;
    const cpuMs = engine.cpuMs() - cpu;
    await pause(QUIET_MS);
    const each = (engine.rssAnon() - memory) / CROWD / 1024;
    return [
      {
        what: `TLS: ${CROWD} clients that dial at once`,
        figure: `${(CROWD / seconds).toFixed(0)}/s`,
        details: `all in after ${seconds.toFixed(1)} s, ${refused} refused and dialled again; ${(cpuMs / CROWD).toFixed(2)} ms of CPU each`,
      },
      {
        what: 'TLS: wait of a client that is in, meanwhile',
        figure: `${quantile(busy, 0.5)} ms`,
        details: `p99 ${quantile(busy, 0.99)} ms, longest ${quantile(busy, 1)} ms; before ${quantile(idle, 0.5)} ms, p99 ${quantile(idle, 0.99)} ms`,
      },
      {
        what: 'TLS: RssAnon of an idle client',
        figure: `${each.toFixed(1)} KiB`,
        details: `${CROWD} clients, ${QUIET_MS / 1000} s after the last came`,
      },
    ];
  } finally {
    crowd?.kill('SIGKILL');
    regular.destroy();
    await engine.stop();
  }
}

/** Milliseconds each request of a client waited for its reply, one after the other, until `end`. */
async function waits(socket, end) {
  const bytes = frame(128);
  const times = [];
  let over = false;
  const stop = () => {
    over = true;
  };
  void end.then(stop, stop);
  while (!over) {
    const sent = performance.now();
    await exchange([socket], bytes, 1, 1);
    times.push(performance.now() - sent);
    await pause(2);
  }
  return times;
}

function quantile(times, share) {
  const sorted = times.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))].toFixed(1);
}
