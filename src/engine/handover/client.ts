/** One client on its way to the process that takes this one's place. */

import { messageOf } from '../../errors.js';
import type { Handle } from '../../transports/handles.js';
import type { Passage } from '../../transports/movable.js';
import type { Client } from '../client.js';
import type { SavedClient } from './saved.js';

/** Whether nothing of it is under way any more; from then on it is not read from. Called until it is so. */
export function restClient(client: Client): boolean {
  const { port, connection, handling } = client;
  if (port && !port.bus.quiet) return false;
  connection.freeze?.();
  return !handling && (!movable(client) || passageOf(client) !== undefined);
}

/** What another process goes on from; undefined when it cannot go: it does not rest, or holds what is no data. */
export function saveClient(client: Client): { saved: SavedClient; handle: Handle | undefined } | undefined {
  if (!movable(client) || !restClient(client) || client.over || !client.greeted) return undefined;
  const input = client.input?.save();
  if (client.input && !input) return undefined;
  const { state, handle } = passageOf(client)!;
  const { id, bytesIn, bytesOut, messages, devices, channels = [], station, native } = client;
  const now = performance.now();
  try {
    const saved: SavedClient = {
      id,
      connection: state,
      openedAgo: now - client.openedAt,
      seenAgo: now - client.lastSeen,
      bytesIn,
      bytesOut,
      messages,
      session: client.protocol.saveSession(client),
      context: [...(client.keptContext?.values ?? [])],
      devices,
      attached: (devices ?? []).filter((device) => station.engine.devices.get(device) === client),
      channels: [...channels],
      input,
      peer: native?.save?.(client),
    };
    return { saved, handle };
  } catch (error) {
    station.log.warn(`cannot be handed over: ${messageOf(error)}`, { client: String(id) });
    return undefined;
  }
}

/** Lets a client go on, at rest, from what another process has saved. */
export function restoreClient(client: Client, saved: SavedClient): void {
  const now = performance.now();
  client.greeted = true;
  client.openedAt = now - saved.openedAgo;
  client.lastSeen = now - saved.seenAgo;
  client.bytesIn = saved.bytesIn;
  client.bytesOut = saved.bytesOut;
  client.messages = saved.messages;
  client.protocol.restoreSession(client, saved.session);
  for (const [key, value] of saved.context) client.context.set(key, value);
  client.devices = saved.devices && [...saved.devices];
  client.native?.restore?.(client, saved.peer);
  if (saved.channels.length > 0) client.station.engine.channels.subscribe(client, saved.channels);
  if (saved.input) client.received().restore(saved.input);
}

/** Whether it could go at all. */
function movable({ native, connection }: Client): boolean {
  return connection.passage !== undefined && connection.tls?.() === undefined && (!native || !!native.save);
}

/** What its connection is opened from, once all that was sent has left. */
function passageOf(client: Client): Passage | undefined {
  return client.pendingBytes === 0 ? client.connection.passage?.() : undefined;
}
