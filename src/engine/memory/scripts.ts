/** The script that keeps most, and how it is made to give it up. */

import { MoonwireError } from '../../errors.js';
import type { LuaValue } from '../../script/executor.js';
import type { Program } from '../program.js';
import type { Station } from '../station.js';

/** A server or link and about how many bytes its script keeps. */
export interface Keeper {
  readonly station: Station;
  readonly bytes: number;
}

/** That of which the script keeps most, older code of it included; undefined where there is no script. */
export function largest(stations: readonly Station[]): Keeper | undefined {
  let found: Keeper | undefined;
  for (const station of stations) {
    if (station.handlers || !station.program) continue;
    let bytes = 0;
    for (const program of [station.program, ...station.reloads.programs()])
      bytes += program.vm.size(heldBy(program, station));
    if (!found || bytes > found.bytes) found = { station, bytes };
  }
  return found;
}

/** What of a program's VM only others hold: sessions of its clients, functions of its timers. */
function* heldBy(program: Program, { clients }: Station): Generator<LuaValue> {
  for (const { program: own, session } of clients) if (own === program) yield session;
  for (const { fn } of program.timers.list()) yield fn;
}

/**
 * Loads it anew, with nothing of what it kept but its clients and their sessions; without clients where these are what
 * is too much. Never rejects.
 */
export async function restart(
  { station, bytes }: Keeper,
  withClients: boolean,
  figures: Record<string, string>,
): Promise<void> {
  const { log, settings, clients, counters, reloads } = station;
  counters.scriptRestarts++;
  const kept = `about ${Math.round(bytes / 2 ** 20)} MiB`;
  log.error(`memory is short: the script is restarted, since it keeps most, ${kept}`, {
    entry: settings.entry,
    ...figures,
    ...(!withClients && { closed: clients.size }),
  });
  if (!withClients) {
    const error = new MoonwireError('overloaded', 'memory is short');
    for (const client of clients) client.destroy(error);
  }
  // The old code would keep more meanwhile.
  station.hold();
  await reloads.reload({ force: true, untried: true, afresh: true });
  station.release();
}
