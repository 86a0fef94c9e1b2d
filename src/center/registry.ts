/** What is connected: engines, their clients, channels with subscribers, devices. All in memory. */

import { FilterTree, hasWildcard } from '../codecs/mqtt_topics.js';
import { nodeOf } from '../store/ids.js';
import { EngineRecord, type RecordIndex, type RecordLimits } from './engine-record.js';
import type { EngineSession } from './engine-session.js';

/** A client as the registry knows it. */
export interface ClientEntry {
  readonly id: number;
  /** Node of the engine it is connected to. */
  readonly node: number;
}

/** A client that a device is attached to, and its engine. */
interface Place {
  readonly client: number;
  readonly node: number;
}

/** Where a device is reached. */
export interface DeviceEntry extends Place {
  readonly device: string;
}

/** A page of a list. */
export interface PageOptions {
  /** 1 to 1000; 100. */
  readonly limit?: number;
  /** The last id of the page before. */
  readonly after?: number;
}

const MAX_PAGE = 1000;
const DEFAULT_LIMITS: RecordLimits = { clients: 1_000_000, channels: 1_000_000, devices: 1_000_000 };

/** The registry. */
export class Registry {
  private readonly engines = new Map<number, EngineSession>();
  /** A channel's node, or its nodes when there are several: most channels have one. */
  private readonly channelNodes = new Map<string, number | Set<number>>();
  /** Names of channels with wildcards, as topic filters. */
  private readonly filters = new FilterTree<string>();
  /** Where a device is attached; several engines may say so, as long as one has not noticed that it left: the newest is last. */
  private readonly devices = new Map<string, Place | Place[]>();
  /** Told of devices that are attached, or are reached elsewhere. */
  onDevice: (device: string, node: number) => void = () => {};
  private readonly index: RecordIndex = {
    channelOpened: (name, node) => this.addChannel(name, node),
    channelClosed: (name, node) => this.removeChannel(name, node),
    deviceAttached: (device, client, node, again) => {
      const others = this.placesOf(device).filter((place) => place.node !== node);
      const place = { client, node };
      // What is told once more may be older than what others have told.
      this.setPlaces(device, again ? [place, ...others] : [...others, place]);
    },
    deviceDetached: (device, node) => {
      const others = this.placesOf(device).filter((place) => place.node !== node);
      this.setPlaces(device, others);
    },
  };

  constructor(private readonly limits: RecordLimits = DEFAULT_LIMITS) {}

  /** The empty record of an engine that joins. */
  newRecord(node: number): EngineRecord {
    return new EngineRecord(node, this.index, this.limits);
  }

  /** Takes in an engine; none with its node may be here. */
  add(engine: EngineSession): void {
    this.engines.set(engine.node, engine);
  }

  /** Drops an engine with all it registered; false when it was replaced by a newer session. */
  remove(engine: EngineSession): boolean {
    if (this.engines.get(engine.node) !== engine) return false;
    this.engines.delete(engine.node);
    engine.record.clear();
    return true;
  }

  /** Engines connected. */
  get size(): number {
    return this.engines.size;
  }

  /** How much there is. */
  counts(): { engines: number; clients: number; channels: number; devices: number } {
    let clients = 0;
    for (const { record } of this.engines.values()) clients += record.clientCount;
    return {
      engines: this.engines.size,
      clients,
      channels: this.channelNodes.size,
      devices: this.devices.size,
    };
  }

  /** The connected engines, by rising node. */
  list(): EngineSession[] {
    return [...this.engines.values()].sort((a, b) => a.node - b.node);
  }

  engineOfNode(node: number): EngineSession | undefined {
    return this.engines.get(node);
  }

  /** Channels with subscribers anywhere. */
  channels(): Iterable<string> {
    return this.channelNodes.keys();
  }

  /** The nodes with subscribers of a channel, or of a name with wildcards that means it. */
  nodesOf(channel: string): Iterable<number> {
    const own = this.nodesUnder(channel);
    if (this.filters.size === 0) return own;
    const all = new Set(own);
    for (const filter of this.filters.match(channel))
      for (const node of this.nodesUnder(filter)) all.add(node);
    return all;
  }

  private nodesUnder(name: string): Iterable<number> {
    const nodes = this.channelNodes.get(name);
    if (nodes === undefined) return [];
    return typeof nodes === 'number' ? [nodes] : nodes;
  }

  /** A client, while it is connected. */
  client(id: number): ClientEntry | undefined {
    const node = nodeOf(id);
    return this.engines.get(node)?.record.hasClient(id) ? { id, node } : undefined;
  }

  /** Clients of all engines or of one, by rising node and id. */
  clients({ node, limit = 100, after = -1 }: PageOptions & { readonly node?: number } = {}): ClientEntry[] {
    const most = Math.min(Math.max(1, limit), MAX_PAGE);
    const found: ClientEntry[] = [];
    for (const engine of node === undefined ? this.list() : [this.engines.get(node)]) {
      if (!engine || found.length >= most) continue;
      for (const id of engine.record.clientsAfter(after, most - found.length)) {
        found.push({ id, node: engine.node });
      }
    }
    return found;
  }

  /** Where a device is, while a connected client has attached it. */
  device(device: string): DeviceEntry | undefined {
    const place = this.placesOf(device).at(-1);
    return place && { device, ...place };
  }

  /** Ids of the attached devices, in no order. */
  deviceIds(): Iterable<string> {
    return this.devices.keys();
  }

  private placesOf(device: string): readonly Place[] {
    const places = this.devices.get(device);
    if (places === undefined) return [];
    return Array.isArray(places) ? places : [places];
  }

  /** Most devices have one place, which takes no list. */
  private setPlaces(device: string, places: Place[]): void {
    const before = this.placesOf(device).at(-1);
    const newest = places.at(-1);
    if (places.length > 1) this.devices.set(device, places);
    else if (places[0]) this.devices.set(device, places[0]);
    else this.devices.delete(device);
    if (newest && newest !== before) this.onDevice(device, newest.node);
  }

  private addChannel(name: string, node: number): void {
    const nodes = this.channelNodes.get(name);
    if (nodes === undefined && hasWildcard(name)) this.filters.add(name, name);
    if (nodes === undefined) this.channelNodes.set(name, node);
    else if (typeof nodes === 'number') this.channelNodes.set(name, new Set([nodes, node]));
    else nodes.add(node);
  }

  private removeChannel(name: string, node: number): void {
    const nodes = this.channelNodes.get(name);
    if (nodes instanceof Set) nodes.delete(node);
    if (nodes !== node && !(nodes instanceof Set && nodes.size === 0)) return;
    this.channelNodes.delete(name);
    if (hasWildcard(name)) this.filters.delete(name, name);
  }
}
