/** The side that comes: makes of what was handed over what it was. */

import type { LinkConfig, ServerConfig } from '../../config/schema.js';
import type { Handle } from '../../transports/handles.js';
import type { Passage } from '../../transports/movable.js';
import type { Engine } from '../engine.js';
import type { Server } from '../server.js';
import { handleName, type Inheritance, type SavedClient, type SavedEngine, type SavedPart } from './saved.js';

/** Where a server listens and what it speaks there: one for which this is the same takes the listener over. */
export function whereOf({ bind, port, transport, protocol, tls }: ServerConfig): string {
  return JSON.stringify([bind, port, transport, protocol, tls !== undefined]);
}

/** What a server or link takes over, if anything. */
export function partOf(inheritance: Inheritance | undefined, name: string): SavedPart | undefined {
  return inheritance?.saved.parts.find((part) => part.name === name);
}

/** The listener that a server of this configuration takes over, if any. */
export function listenerOf(inheritance: Inheritance, config: ServerConfig): Passage | undefined {
  const part = partOf(inheritance, config.name);
  if (part?.where !== whereOf(config)) return undefined;
  const handle = inheritance.take(handleName.listener(config.name));
  if (!handle) return undefined;
  const accepted = Array.from({ length: part.accepted }, (_, i) =>
    inheritance.take(handleName.accepted(config.name, i)),
  );
  return { handle, accepted: accepted.filter((each) => each !== undefined) };
}

/** Takes the clients of a server over, at rest, where it serves as it did before. */
export function adoptClients(inheritance: Inheritance, { station, listener, config }: Server): void {
  const part = partOf(inheritance, config.name);
  if (part?.where !== whereOf(config) || !listener?.adopt) return;
  for (const saved of part.clients) {
    const handle = inheritance.take(handleName.client(saved.id));
    if (!handle && config.transport !== 'udp') continue;
    const connection = listener.adopt({ handle, state: saved.connection });
    connection.attach(station.takeOver(connection, saved));
  }
}

/** Ids of the clients that nothing here serves. A link takes its client over when it goes on. */
export function refusedOf(engine: Engine, saved: SavedEngine): number[] {
  const linked = new Set(engine.links.map(({ config }) => config.name));
  const clients = saved.parts.filter(({ name }) => !linked.has(name)).flatMap((part) => part.clients);
  return clients.map(({ id }) => id).filter((id) => !engine.client(id));
}

/** The client of a link that goes on, and its connection where that could be handed over. */
export function linkClientOf(
  inheritance: Inheritance,
  config: LinkConfig,
): { saved: SavedClient; handle: Handle | undefined } | undefined {
  const saved = partOf(inheritance, config.name)?.clients[0];
  return saved && { saved, handle: inheritance.take(handleName.client(saved.id)) };
}

/** All parts are open: counters, times, recent frames and phases of timers go on, and devices are attached. */
export function takeUp(engine: Engine, { saved }: Inheritance): void {
  for (const { config, listener } of engine.servers) {
    const before = saved.parts.find(({ name }) => name === config.name)?.listening;
    if (listener && before) Object.assign(listener.counters, before);
  }
  for (const { station, config } of [...engine.servers, ...engine.links]) {
    const before = saved.parts.find(({ name }) => name === config.name);
    if (!before) continue;
    Object.assign(station.counters, before.counters);
    station.messageTimes.restore(before.times);
    station.frames.restore(before.frames);
    station.timers.restore(before.timers);
  }
  // The newest attach of a device wins, so all clients must be there.
  for (const { id, attached } of saved.parts.flatMap(({ clients }) => clients)) {
    const client = engine.client(id);
    if (client) for (const device of attached) engine.attach(client, device);
  }
}

/** Hands servers what came last to where they were before; see `lateOf`. */
export function catchUp(engine: Engine, late: Readonly<Record<string, unknown>>): void {
  for (const { config, listener } of engine.servers) {
    const last = late[config.name];
    if (last !== undefined) listener?.catchUp?.(last);
  }
}
