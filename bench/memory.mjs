// How long the engine takes to listen, and its memory: idle, and with idle clients.
import { close, exchange, frame, open } from './support/clients.mjs';
import { startEngine } from './support/server.mjs';
import { pause } from './support/statistics.mjs';

const STARTS = 7;
const CLIENTS = 10_000;
/** Memory is read at the end of so many quiet seconds: V8 collects what is garbage after some of them. */
const QUIET_SECONDS = 12;

const MiB = 2 ** 20;
const show = (bytes) => `${(bytes / MiB).toFixed(1)} MiB`;

/** RssAnon when nothing happens: at the end, and the highest on the way. */
async function settle(engine) {
  let highest = 0;
  for (let i = 0; i < QUIET_SECONDS; i++) {
    await pause(1000);
    highest = Math.max(highest, engine.rssAnon());
  }
  return { bytes: engine.rssAnon(), highest };
}

function memoryRow(what, { bytes, highest }, before, budget) {
  const more = bytes - before;
  return {
    what,
    figure: show(more),
    budget: budget && `≤ ${budget} MiB`,
    met: budget && more <= budget * MiB,
    details: `highest on the way ${show(highest - before)}`,
  };
}

/** From the start of the process to its line that it listens. */
export async function startRows(note) {
  note('start to listening');
  const times = [];
  for (let i = 0; i < STARTS; i++) {
    const engine = await startEngine('echo');
    times.push(engine.startMs);
    await engine.stop();
  }
  // The fastest: what else the machine does can only add to it.
  const ms = Math.min(...times);
  return [
    {
      what: 'Start to listening',
      figure: `${ms.toFixed(0)} ms`,
      budget: '≤ 500 ms',
      met: ms <= 500,
      details: `fastest of ${STARTS} starts, slowest ${Math.max(...times).toFixed(0)} ms`,
    },
  ];
}

/** Memory idle, with clients, and once each of them has sent a message. */
export async function memoryRows(note) {
  const engine = await startEngine('echo');
  let sockets = [];
  try {
    note('memory idle');
    const idle = await settle(engine);
    note(`memory with ${CLIENTS} clients`);
    sockets = await open(engine.port, CLIENTS);
    const clients = await settle(engine);
    note('memory after a message of each');
    await exchange(sockets, frame(21), 1, CLIENTS);
    const spoken = await settle(engine);
    return [
      memoryRow('RssAnon idle, one Lua server', idle, 0, 32),
      memoryRow(`RssAnon more with ${CLIENTS} idle TCP clients`, clients, idle.bytes, 35),
      memoryRow('RssAnon more once each has sent a message', spoken, idle.bytes),
    ];
  } finally {
    await close(sockets);
    await engine.stop();
  }
}
