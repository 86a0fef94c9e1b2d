/** The side that comes: makes of what was handed over what it was. */

import type { LinkConfig, ServerConfig } from '../../config/schema.js';
import type { Handle } from '../../transports/handles.js';
import type { Passage } from '../../transports/movable.js';
import type { Engine } from '../engine.js';
import { addressesOf, tlsOf } from '../link-open.js';
import type { Server } from '../server.js';
import { handleName, type Inheritance, type SavedClient, type SavedEngine, type SavedPart } from './saved.js';

/** A connection of a link, its client, and the address it leads to. */
export interface LinkHeir {
  readonly saved: SavedClient;
  readonly handle: Handle;
  readonly address: string | undefined;
}

/** Where a server listens or a link leads, and what is spoken there. */
export function placeOf(config: ServerConfig | LinkConfig): Pick<SavedPart, 'where' | 'speaks'> {
  if ('kind' in config) {
    const port = config.kind === 'tcp' ? config.tcp.port : undefined;
    const where = JSON.stringify([config.kind, addressesOf(config), port]);
    return { where, speaks: JSON.stringify([tlsOf(config) !== undefined]) };
  }
  const { bind, port, transport, protocol, tls } = config;
  return {
    where: JSON.stringify([bind, port, transport === 'udp']),
    speaks: JSON.stringify([transport, protocol, tls !== undefined, tls?.plain === true]),
  };
}

/** What a server or link takes over, if anything: it listens or leads where it did. */
function partOf({ saved }: Inheritance, config: ServerConfig | LinkConfig): SavedPart | undefined {
  const { where } = placeOf(config);
  return saved.parts.find((part) => part.name === config.name && part.where === where);
}

/** The same, where it also speaks what it spoke: then its clients go on. */
function goingOn(inheritance: Inheritance, config: ServerConfig | LinkConfig): SavedPart | undefined {
  const part = partOf(inheritance, config);
  return part?.speaks === placeOf(config).speaks ? part : undefined;
}

/** The listener that a server of this configuration takes over, if any. */
export function listenerOf(inheritance: Inheritance, config: ServerConfig): Passage | undefined {
  const part = partOf(inheritance, config);
  if (!part) return undefined;
  const handle = inheritance.take(handleName.listener(config.name));
  if (!handle) return undefined;
  const accepted = Array.from({ length: part.accepted }, (_, i) =>
    inheritance.take(handleName.accepted(config.name, i)),
  );
  return { handle, accepted: accepted.filter((each) => each !== undefined) };
}

/** Takes the clients of a server over, at rest, where it serves as it did before. */
export function adoptClients(inheritance: Inheritance, { station, listener, config }: Server): void {
  const part = goingOn(inheritance, config);
  if (!part || !listener?.adopt) return;
  for (const saved of part.clients) {
    const handle = inheritance.take(handleName.client(saved.id));
    if (!handle && config.transport !== 'udp') continue;
    const connection = listener.adopt({ handle, state: saved.connection });
    connection.attach(station.takeOver(connection, saved));
  }
}

/** Ids of the clients that nothing here serves. A link takes its client over when it goes on. */
export function refusedOf(engine: Engine, saved: SavedEngine): number[] {
  const awaited = new Set(engine.links.map(({ heir }) => heir?.saved.id));
  const ids = saved.parts.flatMap(({ clients }) => clients).map(({ id }) => id);
  return ids.filter((id) => !engine.client(id) && !awaited.has(id));
}

/** The client of a link that goes on, and its connection. */
export function linkClientOf(inheritance: Inheritance, config: LinkConfig): LinkHeir | undefined {
  const part = goingOn(inheritance, config);
  const [saved] = part?.clients ?? [];
  if (!part || !saved) return undefined;
  const handle = inheritance.take(handleName.client(saved.id));
  return handle && { saved, handle, address: part.address };
}

/** What the protocol of a link goes on from, where it leads to the same place. */
export function linkStateOf(inheritance: Inheritance, config: LinkConfig): unknown {
  return goingOn(inheritance, config)?.link;
}

/** When the port of a link was closed for this process, if it was. */
export function closedAtOf(inheritance: Inheritance, config: LinkConfig): number | undefined {
  return partOf(inheritance, config)?.closedAt;
}

/** All parts are open: counters, times, recent frames and phases of timers go on, and devices are attached. */
export function takeUp(engine: Engine, { saved }: Inheritance): void {
  for (const { config, listener } of engine.servers) {
    const before = saved.parts.find(({ name }) => name === config.name)?.listening;
    if (!listener || !before) continue;
    const { sniffed, ...counters } = before;
    Object.assign(listener.counters, counters);
    // Those of first bytes have an owner of their own.
    if (listener.counters.sniffed) Object.assign(listener.counters.sniffed, sniffed);
  }
  for (const { station, config } of [...engine.servers, ...engine.links]) {
    const before = saved.parts.find(({ name }) => name === config.name);
    if (!before) continue;
    Object.assign(station.counters, before.counters);
    station.messageTimes.restore(before.times);
    station.frames.restore(before.frames);
    station.program?.timers.restore(before.timers);
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

/** The other process goes on after all: lets go of its connections, of which nothing may be closed but the copies here. */
export function abandon(engine: Engine): void {
  for (const client of engine.clients.values()) {
    client.letGo();
    client.station.clients.delete(client);
  }
}
