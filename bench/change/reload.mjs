// What devices notice of saved scripts and configurations that are put in effect.
import { readFileSync, writeFileSync } from 'node:fs';
import { faultsRow, Load, pauseRow } from './load.mjs';

const ROUNDS = 7;
const ECHO = readFileSync(new URL('../lua/echo.lua', import.meta.url), 'utf8');
/** The same, with what a large module of the library takes to load. */
const LARGE = `require "protocols.jt808"\n${ECHO}`;

export async function reloadRows(note) {
  const rows = [];
  const load = await Load.start(ECHO);
  try {
    const script = (text) => async (round) => {
      writeFileSync(load.entry, `${text}-- saved for the ${round}th time\n`);
      const { reloads } = await load.request('POST', '/v1/scripts/reload', { server: 'bench' });
      if (reloads[0].outcome !== 'reloaded') throw new Error(JSON.stringify(reloads));
    };
    const config = (configure) => async (round) => {
      configure(round);
      const { changes } = await load.request('POST', '/v1/config/reload', {});
      if (changes.length !== 1) throw new Error(JSON.stringify(changes));
    };
    const other = { name: 'other', bind: '127.0.0.1', port: 0, entry: load.entry };
    const changes = {
      'Reload of a small script': script(ECHO),
      'Reload of a script with a large module': script(LARGE),
      'Configuration reload, limits of the server': config((round) =>
        load.configure({ sendStallSeconds: 100 + round }),
      ),
      'Configuration reload, another server added or removed': config((round) =>
        load.configure({ sendStallSeconds: 100 + ROUNDS - 1 }, round % 2 === 0 ? [other] : []),
      ),
    };
    for (const [what, change] of Object.entries(changes)) {
      note(what);
      const rounds = [];
      for (let round = 0; round < ROUNDS; round++) rounds.push(await load.measure(() => change(round)));
      rows.push(pauseRow(`${what}: longest wait`, rounds));
    }
    return [...rows, faultsRow('Reloads', load.faults)];
  } finally {
    await load.stop();
  }
}
