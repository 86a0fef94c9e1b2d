// What TLS costs: handshakes and memory, and what a crowd of new clients does to those that are in.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { certificate } from '../support/certificate.mjs';
import { exchange, frame, open } from '../support/clients.mjs';
import { startEngine } from '../support/server.mjs';
import { pause } from '../support/statistics.mjs';

const CROWD = 10_000;
const QUIET_MS = 5000;

export async function tlsRows(note) {
  const { files, remove } = certificate();
  try {
    note(`TLS: ${CROWD} clients at once`);
    return await crowdRows(files);
  } finally {
    remove();
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
