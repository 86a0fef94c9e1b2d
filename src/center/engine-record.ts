/** What the centre knows of one engine: what it registered. */

import { SEQUENCES } from '../store/ids.js';
import type { EngineStats, RegMessage, ServerInfo } from '../uplink/messages.js';
import { pageAfter } from './page.js';

/** Bounds of one engine's registration; what is beyond them is left out and counted. */
export interface RecordLimits {
  readonly clients: number;
  readonly channels: number;
  readonly devices: number;
}

/** Whom a record tells of channels and devices, which are looked up over all engines. */
export interface RecordIndex {
  channelOpened(name: string, node: number): void;
  channelClosed(name: string, node: number): void;
  /** `again`: it is told once more, after a reconnection, and may have moved elsewhere in the meantime. */
  deviceAttached(device: string, client: number, node: number, again: boolean): void;
  deviceDetached(device: string, node: number): void;
}

/** The registration of one engine. */
export class EngineRecord {
  servers: readonly ServerInfo[] = [];
  labels: Readonly<Record<string, string>> = {};
  stats: EngineStats | undefined;
  /** Clients, channels and devices left out, since the engine has more than the limits allow. */
  leftOut = 0;
  readonly channels = new Set<string>();
  readonly devices = new Set<string>();
  /**
   * Clients by their sequence: a set of small integers takes a fraction of one of whole ids, which are doubles on
   * the heap. Clients with the number of another node, from before this engine had its own, are only counted:
   * nobody else can reach them (design §9 "Client id").
   */
  private readonly sequences = new Set<number>();
  private readonly strangers = new Set<number>();
  /** The counter that the next message must carry; undefined: everything but a full registration is dropped. */
  private expected: number | undefined = 0;

  constructor(
    readonly node: number,
    private readonly index: RecordIndex,
    private readonly limits: RecordLimits,
  ) {}

  get clientCount(): number {
    return this.sequences.size + this.strangers.size;
  }

  hasClient(id: number): boolean {
    return this.sequences.has(id - this.node * SEQUENCES);
  }

  /** Ids of its clients above `after`, rising, at most `limit`. */
  clientsAfter(after: number, limit: number): number[] {
    const base = this.node * SEQUENCES;
    return pageAfter(this.sequences, after - base, limit).map((sequence) => base + sequence);
  }

  /**
   * Takes a registration message. False: one was missed, so a full registration is to be asked for; until it comes
   * nothing else is taken.
   */
  apply(message: RegMessage): boolean {
    if (message.full && message.n === 0) {
      this.clear();
      this.expected = 0;
    } else if (this.expected === undefined) {
      return true;
    } else if (message.n === 0 || message.n !== this.expected) {
      this.expected = undefined;
      return false;
    }
    this.expected++;
    if (message.servers) this.servers = message.servers;
    if (message.labels) this.labels = message.labels;
    if (message.stats) this.stats = message.stats;
    this.applyChannels(message);
    this.applyClients(message);
    this.applyDevices(message);
    return true;
  }

  /** Drops clients, channels and devices. */
  clear(): void {
    for (const name of this.channels) this.index.channelClosed(name, this.node);
    for (const device of this.devices) this.index.deviceDetached(device, this.node);
    this.channels.clear();
    this.devices.clear();
    this.sequences.clear();
    this.strangers.clear();
  }

  private applyChannels({ channels }: RegMessage): void {
    for (const name of channels?.del ?? []) {
      if (this.channels.delete(name)) this.index.channelClosed(name, this.node);
    }
    for (const name of channels?.add ?? []) {
      if (this.channels.has(name) || !this.isRoom(this.channels.size, this.limits.channels)) continue;
      this.channels.add(name);
      this.index.channelOpened(name, this.node);
    }
  }

  private applyClients({ clients }: RegMessage): void {
    const base = this.node * SEQUENCES;
    for (const id of clients?.del ?? []) {
      if (this.isOwn(id)) this.sequences.delete(id - base);
      else this.strangers.delete(id);
    }
    for (const id of clients?.add ?? []) {
      if (!this.isRoom(this.clientCount, this.limits.clients)) continue;
      if (this.isOwn(id)) this.sequences.add(id - base);
      else this.strangers.add(id);
    }
  }

  private applyDevices({ devices, full = false }: RegMessage): void {
    for (const device of devices?.del ?? []) {
      if (this.devices.delete(device)) this.index.deviceDetached(device, this.node);
    }
    for (const [device, client] of devices?.add ?? []) {
      if (!this.devices.has(device) && !this.isRoom(this.devices.size, this.limits.devices)) continue;
      this.devices.add(device);
      this.index.deviceAttached(device, client, this.node, full);
    }
  }

  private isRoom(size: number, limit: number): boolean {
    if (size < limit) return true;
    this.leftOut++;
    return false;
  }

  private isOwn(id: number): boolean {
    const sequence = id - this.node * SEQUENCES;
    return sequence >= 0 && sequence < SEQUENCES;
  }
}
