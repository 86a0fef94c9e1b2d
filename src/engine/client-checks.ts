/** What is looked at, about once a second, to find clients that are silent or take nothing. */

import { MoonwireError } from '../errors.js';
import type { Client } from './client.js';
import { closeFor } from './client-limits.js';
import { ClientOutput } from './client-output.js';

/** Closes a client that is silent, or that takes nothing of what waits for it. `now`: by `performance.now()`. */
export function checkClient(client: Client, now: number): void {
  checkSilence(client, now);
  if (client.closed) return;
  // The transport may have sent something of its own.
  if (client.connection.pendingBytes > 0) client.output ??= new ClientOutput(client);
  const { sendStallSeconds } = client.station.limits;
  if (client.output?.stalls(now))
    closeFor(client, 'closedStalled', 'sendStallSeconds', `took nothing for ${sendStallSeconds} s`);
  else if (client.pendingBytes === 0) client.output = undefined;
}

function checkSilence(client: Client, now: number): void {
  // A peer that was slowed down cannot be blamed for its silence.
  if (client.slowed) return;
  const { native, station } = client;
  const { idleSeconds } = station.limits;
  if (native) {
    const reached = native.check(client, now);
    if (!reached) return;
    station.counters.closedIdle++;
    station.limitReached(client, reached.limit, reached.message);
    client.endFor(new MoonwireError('timeout', reached.message));
  } else if (idleSeconds > 0 && now - client.lastSeen > idleSeconds * 1000)
    closeFor(client, 'closedIdle', 'idleSeconds', `silent for ${idleSeconds} s`);
}
