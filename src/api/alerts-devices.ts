/** When each device was last heard, so that silence is noticed. */

import type { Client } from '../engine/client.js';
import type { Engine, EngineObserver } from '../engine/engine.js';
import { monotonicSeconds } from './health.js';

/** Most devices that are watched; those beyond are counted. */
const MAX_DEVICES = 100_000;

/** A device that was not heard for too long. */
export interface SilentDevice {
  readonly id: string;
  /** Seconds since it was heard. */
  readonly seconds: number;
}

/**
 * Watches the devices that were attached or reported since the start. A device is heard when it attaches, when a
 * script reports for it, and, if it is alone on its connection, with every byte from there; of many devices behind
 * one connection, bytes do not say whose they are.
 */
export class DeviceWatch implements EngineObserver {
  private readonly heard = new Map<string, number>();
  /** Clients that had several devices at some time. */
  private readonly shared = new WeakSet<Client>();
  /** Devices that came when {@link MAX_DEVICES} were watched; rises. */
  unwatched = 0;

  constructor(private readonly engine: Engine) {
    engine.observers.add(this);
  }

  stop(): void {
    this.engine.observers.delete(this);
  }

  /** How many are watched. */
  get size(): number {
    return this.heard.size;
  }

  /** A script reported for this device. */
  reported(deviceId: string): void {
    this.note(deviceId, monotonicSeconds());
  }

  /** Those not heard for `seconds` or longer. */
  *silent(seconds: number, now = monotonicSeconds()): Generator<SilentDevice> {
    for (const [id, noted] of this.heard) {
      if (now - noted < seconds) continue;
      const client = this.engine.devices.get(id);
      if (client && !this.shared.has(client) && now - client.lastSeen / 1000 < seconds) {
        this.heard.set(id, client.lastSeen / 1000);
      } else yield { id, seconds: now - noted };
    }
  }

  deviceAttached(deviceId: string, client: Client): void {
    if (client.devices && client.devices.length > 1) this.shared.add(client);
    this.note(deviceId, monotonicSeconds());
  }

  deviceDetached(deviceId: string, client: Client): void {
    if (!this.shared.has(client)) this.note(deviceId, client.lastSeen / 1000);
  }

  clientOpened(): void {}
  clientClosed(): void {}
  partsChanged(): void {}
  channelOpened(): void {}
  channelClosed(): void {}

  private note(deviceId: string, at: number): void {
    const before = this.heard.get(deviceId);
    if (before === undefined && this.heard.size >= MAX_DEVICES) this.unwatched++;
    else this.heard.set(deviceId, Math.max(before ?? at, at));
  }
}
