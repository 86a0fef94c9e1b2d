/** Opens the outbox that a configuration describes. */

import { join } from 'node:path';
import type { Config } from '../config/schema.js';
import type { Logger } from '../log.js';
import { Clock } from './clock.js';
import { Outbox } from './outbox.js';
import type { Store } from './store.js';

/** `shared`: the store also holds what the centre or a lone engine keeps for its sinks. Never fails. */
export async function openOutbox(
  { store: { path, maxBytes, maxAge }, engine }: Pick<Config, 'store' | 'engine'>,
  store: Store,
  shared: boolean,
  log: Logger,
): Promise<{ outbox: Outbox; clock: Clock }> {
  const clock = new Clock(store.part('boots'));
  const outbox = await Outbox.open({
    ...engine.outbox,
    folder: join(path, 'outbox'),
    maxBytes: engine.outbox.maxBytes ?? Math.floor(maxBytes / (shared ? 4 : 2)),
    maxAge,
    clock,
    log,
  });
  return { outbox, clock };
}
