/** Where a link stands, in plain values: for the API and for scripts. */

import type { KeptLink } from '../transports/keepopen.js';
import type { Addresses } from './addresses.js';
import type { Client } from './client.js';
import type { LinkSettings } from './embedded/settings.js';

/** One link. Times are Unix seconds. */
export interface LinkStatus {
  readonly name: string;
  /** `serial`, `tcp`, `udp`, `websocket`, `mqtt`, or the name of a transport of the program. */
  readonly kind: string;
  readonly entry: string;
  /** `lent`: somebody outside has the line. */
  readonly state: 'connecting' | 'open' | 'waiting' | 'lent' | 'stopped';
  /** Those it may be found at, without queries, which may hold secrets. */
  readonly addresses: readonly string[];
  /** The one in use, or used last. */
  readonly address?: string;
  /** Id of the client that it is while it is open. */
  readonly client?: string;
  /** Since when it is open. */
  readonly since?: number;
  /** When it is tried next. */
  readonly next_try?: number;
  /** Why it is not open. */
  readonly last_error?: string;
  /** Connections opened, and attempts that failed, since it was last begun. */
  readonly opened: number;
  readonly failed: number;
}

/** What is known of a link; `kept` is undefined while its line is lent. */
export function linkStatus(
  { name, kind, entry, own }: LinkSettings,
  { all, inUse }: Addresses,
  kept: KeptLink | undefined,
  client: Client | undefined,
): LinkStatus {
  const { opened = 0, failed = 0, state } = kept ?? {};
  const error = state && 'lastError' in state ? state.lastError : undefined;
  return {
    name,
    kind: own?.name ?? kind,
    entry,
    state: state?.phase ?? 'lent',
    addresses: all.map(withoutQuery),
    ...(inUse !== undefined && { address: withoutQuery(inUse) }),
    ...(client && state?.phase === 'open' && { client: String(client.id), since: state.since / 1000 }),
    ...(state?.phase === 'waiting' && { next_try: state.nextTry / 1000 }),
    ...(error && { last_error: error.message }),
    opened,
    failed,
  };
}

function withoutQuery(address: string): string {
  return address.split('?', 1)[0]!;
}
