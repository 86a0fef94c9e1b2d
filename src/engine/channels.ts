/**
 * Channels: which clients of this engine are subscribed to what. A subscription whose name has a level `+`, or `#` as
 * the last one, is for all channels that it means as a topic filter of MQTT.
 */

import { FilterTree, hasWildcard } from '../codecs/mqtt_topics.js';
import { Failure } from '../errors.js';
import type { MessageType } from '../transports/connection.js';
import type { Client } from './client.js';
import type { Outgoing } from './mesh.js';
import type { Station } from './station.js';

/** Longest name of a channel, in bytes of UTF-8. */
export const MAX_CHANNEL_BYTES = 256;
/** Most channels of one client. */
export const MAX_CHANNELS_PER_CLIENT = 10_000;
/** Most channels of an engine. */
export const MAX_CHANNELS = 1_000_000;

/** Who may be subscribed: a client, or what a native protocol keeps longer than a connection. */
export interface Subscriber {
  readonly station: Station;
  /** It cannot be subscribed any more. */
  readonly closed: boolean;
  /** What it is subscribed to; {@link Channels} alone changes it. */
  channels: Set<string> | undefined;
  /** Takes bytes that its station's protocol encoded. */
  send(bytes: Uint8Array, type?: MessageType): Failure | undefined;
  /** Takes messages as they are published, where it has a form of its own for them. */
  publish?(channel: string, message: Outgoing): Failure | undefined;
  /** The client that is connected, if one is. */
  readonly client: Client | undefined;
}

/** Told when a channel gets its first subscriber here and when it lost its last. */
export interface ChannelObserver {
  channelOpened(name: string): void;
  channelClosed(name: string): void;
}

export class Channels {
  private readonly members = new Map<string, Set<Subscriber>>();
  /** Those of the names that have wildcards. */
  private readonly filters = new FilterTree<string>();

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

  /** The subscribers of a channel, each once; those of its own name in the order they came. */
  of(name: string): Iterable<Subscriber> {
    const members = this.members.get(name);
    if (this.filters.size === 0) return members ?? [];
    const all = new Set(members);
    for (const filter of this.filters.match(name)) {
      for (const member of this.members.get(filter) ?? []) all.add(member);
    }
    return all;
  }

  /** Subscribes a client to all of `names`, or to none: `invalid_argument`, `too_large`, `closed`. */
  subscribe(subscriber: Subscriber, names: readonly string[]): Failure | undefined {
    if (subscriber.closed) return new Failure('closed: the client is closed');
    for (const name of names) {
      const bytes = Buffer.byteLength(name);
      if (bytes === 0 || bytes > MAX_CHANNEL_BYTES)
        return new Failure(`invalid_argument: a channel's name has 1 to ${MAX_CHANNEL_BYTES} bytes`);
    }
    if ((subscriber.channels?.size ?? 0) + names.length > MAX_CHANNELS_PER_CLIENT)
      return new Failure(`too_large: a client has at most ${MAX_CHANNELS_PER_CLIENT} channels`);
    if (this.members.size + names.length > MAX_CHANNELS)
      return new Failure(`overloaded: an engine has at most ${MAX_CHANNELS} channels`);
    subscriber.channels ??= new Set();
    for (const name of names) {
      subscriber.channels.add(name);
      let members = this.members.get(name);
      if (!members) {
        members = new Set();
        this.members.set(name, members);
        if (hasWildcard(name)) this.filters.add(name, name);
        this.observer.channelOpened(name);
      }
      members.add(subscriber);
    }
    return undefined;
  }

  /** Takes subscriptions back; those that are not there are no error. */
  unsubscribe(subscriber: Subscriber, names: Iterable<string>): void {
    for (const name of names) {
      if (!subscriber.channels?.delete(name)) continue;
      const members = this.members.get(name)!;
      members.delete(subscriber);
      if (members.size > 0) continue;
      this.members.delete(name);
      if (hasWildcard(name)) this.filters.delete(name, name);
      this.observer.channelClosed(name);
    }
  }
}
