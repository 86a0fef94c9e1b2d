/** Which clients make room when memory is short. */

import { MoonwireError } from '../../errors.js';
import type { Client } from '../client.js';

/** Share of all that are closed at once: what that gives is seen before others have to go. */
const SHARE = 0.05;
/** Bytes waiting for a client that make it one of the first to go. */
const MUCH = 4096;

/** Closes some: those for which most waits, then those that came last. Returns how many. */
export function shedClients(clients: ReadonlyMap<number, Client>): number {
  const open = [...clients.values()].filter(({ closed }) => !closed);
  const count = Math.ceil(open.length * SHARE);
  const waiting = ({ pendingBytes }: Client): number => (pendingBytes >= MUCH ? pendingBytes : 0);
  open.sort((a, b) => waiting(b) - waiting(a) || b.openedAt - a.openedAt);
  for (const client of open.slice(0, count))
    client.destroy(new MoonwireError('overloaded', 'memory is short'));
  return count;
}
