// One message to 10,000 subscribers on two engines, against bare servers that write the same bytes.
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { WebSocket } from 'ws';
import { open } from '../support/clients.mjs';
import { median, pause } from '../support/statistics.mjs';
import { Peer, startCluster } from './cluster.mjs';

const BARE = join(fileURLToPath(new URL('..', import.meta.url)), 'peers/fanout.mjs');
const SUBSCRIBERS = 10_000;
const ROUNDS = 15;
const MESSAGE = 'x'.repeat(100);

/** Opens clients of one kind; `seen.bytes` rises with what they receive. */
async function connect(kind, port, count, seen) {
  if (kind === 'tcp') {
    const sockets = await open(port, count);
    for (const socket of sockets) {
      socket.on('data', (bytes) => {
        seen.bytes += bytes.length;
      });
    }
    return sockets;
  }
  const sockets = [];
  while (sockets.length < count) {
    const some = Array.from({ length: Math.min(100, count - sockets.length) }, async () => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}/`, { perMessageDeflate: false });
      socket.on('message', (data) => {
        seen.bytes += data.length;
      });
      await once(socket, 'open');
      return socket;
    });
    sockets.push(...(await Promise.all(some)));
  }
  return sockets;
}

/** Rounds of one publish; microseconds of CPU a delivery of `peers`, and deliveries a second. */
async function measure(peers, publish, seen) {
  const rounds = [];
  for (let i = 0; i < ROUNDS + 2; i++) {
    await pause(50);
    const due = seen.bytes + SUBSCRIBERS * MESSAGE.length;
    const cpu = peers.reduce((sum, peer) => sum + peer.cpuMs(), 0);
    const began = performance.now();
    await publish();
    while (seen.bytes < due) await pause(1);
    const ms = performance.now() - began;
    // Linux counts in steps of 10 ms, which the sum over the rounds evens out.
    rounds.push({ ms, cpu: peers.reduce((sum, peer) => sum + peer.cpuMs(), 0) - cpu });
  }
  const kept = rounds.slice(2);
  return {
    cpuUs: (kept.reduce((sum, { cpu }) => sum + cpu, 0) * 1000) / (SUBSCRIBERS * ROUNDS),
    perSecond: SUBSCRIBERS / (median(kept.map(({ ms }) => ms)) / 1000),
  };
}

async function gateway(kind) {
  const cluster = await startCluster(2);
  const sockets = [];
  const seen = { bytes: 0 };
  try {
    for (const { ports } of cluster.engines)
      sockets.push(...(await connect(kind, ports[kind], SUBSCRIBERS / 2, seen)));
    await pause(1000);
    const [first] = cluster.engines;
    const publish = async () => {
      const answer = await fetch(`http://127.0.0.1:${first.ports.api}/v1/mesh/publish`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ c: 'all', d: MESSAGE, t: 'text' }),
      });
      const { r } = await answer.json();
      if (r?.s !== SUBSCRIBERS) throw new Error(`the publish reached ${JSON.stringify(r)}`);
    };
    return await measure([cluster.center, ...cluster.engines], publish, seen);
  } finally {
    for (const socket of sockets) (socket.terminate ?? socket.destroy).call(socket);
    await cluster.stop();
  }
}

async function bare(kind) {
  const peers = [new Peer([BARE, kind]), new Peer([BARE, kind])];
  const sockets = [];
  const seen = { bytes: 0 };
  try {
    for (const peer of peers) {
      const [, port] = await peer.says(/listening on (\d+)/);
      sockets.push(...(await connect(kind, Number(port), SUBSCRIBERS / 2, seen)));
    }
    await pause(1000);
    const publish = async () => {
      for (const peer of peers) peer.child.stdin.write(`${MESSAGE}\n`);
    };
    return await measure(peers, publish, seen);
  } finally {
    for (const socket of sockets) (socket.terminate ?? socket.destroy).call(socket);
    await Promise.all(peers.map((peer) => peer.stop()));
  }
}

/** A row for TCP and one for WebSocket subscribers. */
export async function fanoutRows(note) {
  const rows = [];
  for (const kind of ['tcp', 'ws']) {
    note(`publish to ${SUBSCRIBERS} ${kind} subscribers on 2 engines`);
    const ours = await gateway(kind);
    const theirs = await bare(kind);
    rows.push({
      what: `Publish of 100 bytes to ${SUBSCRIBERS} ${kind} subscribers on 2 engines, CPU a delivery`,
      figure: `${(ours.cpuUs / theirs.cpuUs).toFixed(2)}×`,
      details: `${ours.cpuUs.toFixed(1)} µs against ${theirs.cpuUs.toFixed(1)} µs of a bare loop; ${Math.round(ours.perSecond)} against ${Math.round(theirs.perSecond)} deliveries/s`,
    });
  }
  return rows;
}
