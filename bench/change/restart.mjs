// What devices notice of a restart, and what the two processes take in memory meanwhile.
import { readFileSync } from 'node:fs';
import { rssAnonOf } from '../support/server.mjs';
import { median, pause } from '../support/statistics.mjs';
import { faultsRow, Load, pauseRow } from './load.mjs';

const ROUNDS = 5;
const LOOK_MS = 20;
const MOST_MS = 60_000;
const MIB = 2 ** 20;

export async function restartRows(note) {
  const load = await Load.start(readFileSync(new URL('../lua/echo.lua', import.meta.url), 'utf8'));
  try {
    const rounds = [];
    const peaks = [];
    for (let round = 0; round < ROUNDS; round++) {
      note(`restart ${round + 1} of ${ROUNDS}`);
      let peak;
      rounds.push(
        await load.measure(async () => {
          peak = await restart(load);
        }),
      );
      peaks.push(peak);
    }
    const of = (name) => median(peaks.map((peak) => peak[name] / MIB)).toFixed(1);
    return [
      pauseRow('Restart: longest wait', rounds),
      {
        what: 'Restart: RssAnon of both processes at its peak',
        figure: `${median(peaks.map(({ most, before }) => most / before)).toFixed(1)}×`,
        details: `${of('most')} MiB against ${of('before')} MiB right before`,
      },
      faultsRow('Restarts', load.faults),
    ];
  } finally {
    await load.stop();
  }
}

/** Restarts, and looks at the memory of the processes until the new one runs and the old one is gone. */
async function restart(load) {
  const old = load.pid;
  const before = rssAnonOf(old);
  let most = before;
  await load.request('POST', '/v1/restart', {});
  for (const began = performance.now(); performance.now() - began < MOST_MS; await pause(LOOK_MS)) {
    const pids = [old, ...childrenOf(old)];
    most = Math.max(
      most,
      pids.reduce((sum, pid) => sum + rssAnonOf(pid), 0),
    );
    // Between the two there is no API for a moment.
    const status = await load.request('GET', '/v1/restart').catch(() => undefined);
    if (status?.failure) throw new Error(status.failure);
    if (!status || status.underWay || status.pid === old) continue;
    load.pid = status.pid;
    return { before, most };
  }
  throw new Error('the restart does not end');
}

function childrenOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean);
  } catch {
    return [];
  }
}
