/** The side that goes: brings an engine to rest, says what it consists of, and lets go of it. */

import type { Handle } from '../../transports/handles.js';
import type { Client } from '../client.js';
import type { Engine } from '../engine.js';
import { Server } from '../server.js';
import { placeOf } from './arriving.js';
import { restClient, saveClient } from './client.js';
import { handleName, type SavedClient, type SavedEngine, type SavedPart } from './saved.js';

/** How often it is looked whether handlers have ended, in milliseconds. */
const LOOK_MS = 5;

/** What goes, and what stays until it is over. */
export interface Leaving {
  readonly saved: SavedEngine;
  readonly handles: ReadonlyMap<string, Handle>;
  readonly moved: ReadonlySet<Client>;
  readonly staying: ReadonlySet<Client>;
}

/** The handles of all that could go now; sent ahead, so that there is less to do while the engine rests. */
export function handlesOf(engine: Engine): Map<string, Handle> {
  const handles = new Map<string, Handle>();
  for (const { config, listener } of engine.servers) add(handles, handleName.listener(config.name), listener);
  for (const client of engine.clients.values()) add(handles, handleName.client(client.id), client.connection);
  return handles;
}

function add(
  handles: Map<string, Handle>,
  name: string,
  part: { passage?(): { handle?: Handle | undefined } | undefined } | undefined,
): void {
  const handle = part?.passage?.()?.handle;
  if (handle) handles.set(name, handle);
}

/**
 * Stops accepting and reading, and lets no timer fire. Resolves when no handler runs any more and what was sent has
 * left, or after `ms`.
 */
export async function bringToRest(engine: Engine, ms: number): Promise<void> {
  await engine.changes.rest();
  for (const { listener } of engine.servers) listener?.freeze?.();
  const stations = [...engine.servers, ...engine.links].map(({ station }) => station);
  for (const station of stations) station.freeze();
  engine.mqtt?.freeze();
  const deadline = performance.now() + ms;
  const rests = (): boolean => {
    let all = true;
    for (const client of engine.clients.values()) if (!restClient(client)) all = false;
    return all && !stations.some(({ busy }) => busy);
  };
  while (!rests() && performance.now() < deadline)
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  await Promise.all(engine.links.map((link) => link.rest()));
}

/** Goes on as before. */
export function goOn(engine: Engine): void {
  engine.changes.thaw();
  engine.mqtt?.thaw();
  for (const { station } of [...engine.servers, ...engine.links]) station.thaw();
  for (const link of engine.links) link.thaw();
  for (const { listener } of engine.servers) listener?.thaw?.();
}

/** What an engine at rest consists of. What cannot go stays. */
export function leave(engine: Engine): Leaving {
  const handles = new Map<string, Handle>();
  const moved = new Set<Client>();
  const staying = new Set(engine.clients.values());
  const parts = [...engine.servers, ...engine.links].map((part): SavedPart => {
    const { station, config } = part;
    const passage = part instanceof Server ? part.listener?.passage?.() : undefined;
    if (passage?.handle) handles.set(handleName.listener(config.name), passage.handle);
    const accepted = passage?.accepted ?? [];
    for (const [i, handle] of accepted.entries()) handles.set(handleName.accepted(config.name, i), handle);
    const clients: SavedClient[] = [];
    for (const client of station.clients) {
      const goes = saveClient(client);
      if (!goes) continue;
      clients.push(goes.saved);
      if (goes.handle) handles.set(handleName.client(client.id), goes.handle);
      moved.add(client);
      staying.delete(client);
    }
    return {
      name: config.name,
      ...placeOf(part.config),
      address: part instanceof Server ? undefined : part.address,
      link: part instanceof Server ? undefined : station.native?.saveLink?.(),
      closedAt: part instanceof Server ? undefined : part.closedAt,
      accepted: accepted.length,
      listening: part instanceof Server && part.listener ? { ...part.listener.counters } : undefined,
      clients,
      timers: station.program?.timers.save() ?? [],
      counters: { ...station.counters },
      times: { counts: station.messageTimes.counts, sum: station.messageTimes.sum },
      frames: station.frames.save(),
    };
  });
  const saved = { parts, mqtt: engine.mqtt?.save(), staying: byTransport(staying) };
  return { saved, handles, moved, staying };
}

/** How many clients have each transport. */
export function byTransport(clients: Iterable<Client>): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { connection } of clients) {
    const name = connection.tls?.() ? 'tls' : connection.transport;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

/** What came since for servers that go on receiving while they rest; they do so no more. By server. */
export function lateOf(engine: Engine): Record<string, unknown> {
  const late: Record<string, unknown> = {};
  for (const { config, listener } of engine.servers) {
    const last = listener?.late?.();
    if (last !== undefined) late[config.name] = last;
  }
  return late;
}

/**
 * Closes the servers that another process has, and opens no link any more. Returns connections that were accepted since,
 * with their servers.
 */
export function letGo(engine: Engine): [server: string, accepted: Handle][] {
  const late: [string, Handle][] = [];
  for (const { config, listener } of engine.servers)
    for (const handle of listener?.letGo?.() ?? []) late.push([config.name, handle]);
  for (const link of engine.links) link.letGo();
  return late;
}
