/** Ends of clients for limits, and how they are counted. */

import { MoonwireError } from '../errors.js';
import type { Client } from './client.js';

/** Why a client may be closed for a limit, as it is counted, and what its scripts are told. */
const CODES = {
  closedIdle: 'timeout',
  closedStalled: 'timeout',
  closedOverflow: 'queue_full',
  closedRate: 'rate_limited',
} as const;

/** Closes a client because it reached a limit: counted, and logged at a bounded rate. */
export function closeFor(client: Client, counter: keyof typeof CODES, limit: string, message: string): void {
  client.station.counters[counter]++;
  client.station.limitReached(client, limit, message);
  client.destroy(new MoonwireError(CODES[counter], message));
}

/** Counts what the connection or the framer ended for, where that is a limit. */
export function countLimit(client: Client, error: MoonwireError): void {
  const { station } = client;
  if (error.code === 'timeout') station.counters.closedIdle++;
  if (error.code !== 'too_large') return;
  station.counters.closedOversize++;
  station.limitReached(client, 'frameBytes', error.message);
}
