/** Channels: which clients of this engine are subscribed to what. */

import { Failure } from '../errors.js';
import type { Client } from './client.js';

/** Longest name of a channel, in bytes of UTF-8. */
export const MAX_CHANNEL_BYTES = 256;
/** Most channels of one client. */
export const MAX_CHANNELS_PER_CLIENT = 10_000;
/** Most channels of an engine. */
export const MAX_CHANNELS = 1_000_000;

/** Told when a channel gets its first subscriber here and when it lost its last. */
export interface ChannelObserver {
  channelOpened(name: string): void;
  channelClosed(name: string): void;
}

export class Channels {
  private readonly members = new Map<string, Set<Client>>();

  constructor(private readonly observer: ChannelObserver) {}

  /** Channels with subscribers here. */
  get size(): number {
    return this.members.size;
  }

  /** Their names. */
  names(): Iterable<string> {
    return this.members.keys();
  }

  /** Their names, each with its number of subscribers. */
  *counts(): Iterable<[name: string, subscribers: number]> {
    for (const [name, members] of this.members) yield [name, members.size];
  }

  /** The subscribers of a channel, in the order they came. */
  of(name: string): Iterable<Client> {
    return this.members.get(name) ?? [];
  }

  /** Subscribes a client to all of `names`, or to none: `invalid_argument`, `too_large`, `closed`. */
  subscribe(client: Client, names: readonly string[]): Failure | undefined {
    if (client.closed) return new Failure('closed: the client is closed');
    for (const name of names) {
      const bytes = Buffer.byteLength(name);
      if (bytes === 0 || bytes > MAX_CHANNEL_BYTES)
        return new Failure(`invalid_argument: a channel's name has 1 to ${MAX_CHANNEL_BYTES} bytes`);
    }
    if ((client.channels?.size ?? 0) + names.length > MAX_CHANNELS_PER_CLIENT)
      return new Failure(`too_large: a client has at most ${MAX_CHANNELS_PER_CLIENT} channels`);
    if (this.members.size + names.length > MAX_CHANNELS)
      return new Failure(`overloaded: an engine has at most ${MAX_CHANNELS} channels`);
    client.channels ??= new Set();
    for (const name of names) {
      client.channels.add(name);
      let members = this.members.get(name);
      if (!members) {
        members = new Set();
        this.members.set(name, members);
        this.observer.channelOpened(name);
      }
      members.add(client);
    }
    return undefined;
  }

  /** Takes subscriptions back; those that are not there are no error. */
  unsubscribe(client: Client, names: Iterable<string>): void {
    for (const name of names) {
      if (!client.channels?.delete(name)) continue;
      const members = this.members.get(name)!;
      members.delete(client);
      if (members.size > 0) continue;
      this.members.delete(name);
      this.observer.channelClosed(name);
    }
  }
}
