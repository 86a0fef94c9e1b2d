/** A client as the program sees it that the engine is part of. */

import { type Failure, MoonwireError } from '../../errors.js';
import type { MessageType, TlsFacts } from '../../transports/connection.js';
import type { Client } from '../client.js';
import { checkAttach } from '../devices.js';
import type { EngineClient } from './handlers.js';

export class ClientView implements EngineClient {
  context: unknown;

  constructor(private readonly client: Client) {}

  get id(): string {
    return String(this.client.id);
  }

  get server(): string {
    return this.client.station.settings.name;
  }

  get transport(): string {
    return this.client.connection.transport;
  }

  get remote(): string {
    return this.client.connection.remote;
  }

  get local(): string {
    return this.client.connection.local;
  }

  get tls(): TlsFacts | undefined {
    return this.client.connection.tls?.();
  }

  get closed(): boolean {
    return this.client.closed;
  }

  get pendingBytes(): number {
    return this.client.pendingBytes;
  }

  get devices(): readonly string[] {
    return this.client.devices ?? [];
  }

  send(data: string | Uint8Array, type?: MessageType): boolean {
    const { client } = this;
    const { native } = client;
    if (native) return native.send(client, { data, type }) === undefined;
    const isText = typeof data === 'string';
    return client.send(isText ? Buffer.from(data) : data, type ?? (isText ? 'text' : 'binary')) === undefined;
  }

  end(code?: number, reason?: string): void {
    this.client.end(code, reason);
  }

  destroy(error = new MoonwireError('closed', 'closed by the program')): void {
    this.client.destroy(error);
  }

  subscribe(...channels: string[]): boolean {
    const { channels: all } = this.client.station.engine;
    return passed(all.subscribe(this.subscriber, channels));
  }

  unsubscribe(...channels: string[]): void {
    this.client.station.engine.channels.unsubscribe(this.subscriber, channels);
  }

  attach(deviceId: string): void {
    passed(checkAttach(this.client, deviceId));
    this.client.station.engine.attach(this.client, deviceId);
  }

  detach(deviceId: string): void {
    this.client.station.engine.detach(this.client, deviceId);
  }

  private get subscriber() {
    return this.client.native?.subscriberOf(this.client) ?? this.client;
  }
}

/** Whether it was done; false when the client is closed. Throws what else is wrong. */
function passed(failure: Failure | undefined): boolean {
  if (failure === undefined) return true;
  if (failure.code === 'closed') return false;
  throw new MoonwireError(failure.code, failure.message);
}
