/** Messages from outside a handler to clients of this engine: encoded by their protocol, then sent. */

import { Failure } from '../errors.js';
import type { Channels } from './channels.js';
import type { Client } from './client.js';
import type { ConnCall, LocalClients, Outgoing, Published } from './mesh.js';
import type { ProtocolPeer } from './protocol.js';
import type { Station } from './station.js';

export class Delivery implements LocalClients {
  constructor(
    private readonly clients: ReadonlyMap<number, Client>,
    private readonly channels: Channels,
  ) {}

  /** Whether a client with that id is here, open or closing. */
  has(id: number): boolean {
    return this.clients.has(id);
  }

  /**
   * Sends to one client: undefined, or why not (`not_connected`, `queue_full`, what its protocol says). On a bus a
   * promise, for when its turn has come.
   */
  deliver(id: number, message: Outgoing): Failure | undefined | Promise<Failure | undefined> {
    const client = this.find(id);
    if (client instanceof Failure) return client;
    const { native } = client;
    if (native) return native.send(client, message);
    return client.write(
      () => client.station.encode(message.data, client, client.program),
      frameType(message),
    );
  }

  /**
   * Sends to all subscribers of a channel here. The message is encoded once for each server or link, with an empty
   * session and no client, since it is for many.
   */
  fanOut(channel: string, message: Outgoing): Published {
    const type = frameType(message);
    const encoded = new Map<Station, Uint8Array | Failure>();
    let station: Station | undefined;
    let bytes: Uint8Array | Failure | undefined;
    let success = 0;
    let fail = 0;
    for (const subscriber of this.channels.of(channel)) {
      if (subscriber.publish) {
        if (subscriber.publish(channel, message) === undefined) success++;
        else fail++;
        continue;
      }
      // Neighbours mostly belong to the same station.
      if (subscriber.station !== station) {
        station = subscriber.station;
        bytes = encoded.get(station) ?? station.encode(message.data, new NoPeer());
        encoded.set(station, bytes);
      }
      if (bytes instanceof Failure || subscriber.send(bytes!, type) !== undefined) fail++;
      else success++;
    }
    return { success, fail };
  }

  /** Calls a function of one client: undefined, or why not (`not_connected`, `invalid_argument`). */
  call(id: number, fn: ConnCall, args: readonly unknown[]): Failure | undefined {
    const client = this.find(id);
    if (client instanceof Failure) return client;
    switch (fn) {
      case 'set_context_value': {
        const [key, value] = args;
        if (typeof key !== 'string') return invalid(fn, 'a key and a value');
        client.context.set(key, value ?? undefined);
        return undefined;
      }
      case 'set_context': {
        const [values] = args;
        if (typeof values !== 'object' || values === null || Array.isArray(values))
          return invalid(fn, 'a table');
        client.context.replace(values as Record<string, unknown>);
        return undefined;
      }
      default: {
        if (args.length === 0 || !args.every((name) => typeof name === 'string'))
          return invalid(fn, 'names of channels');
        const subscriber = client.native?.subscriberOf(client) ?? client;
        if (fn === 'subscribe') return this.channels.subscribe(subscriber, args);
        this.channels.unsubscribe(subscriber, args);
        return undefined;
      }
    }
  }

  private find(id: number): Client | Failure {
    const client = this.clients.get(id);
    return client && !client.closed ? client : new Failure(`not_connected: client ${id} is not connected`);
  }
}

/** What stands for the client in an encoding that is for many. */
class NoPeer implements ProtocolPeer {
  session: ProtocolPeer['session'];
  conn(): undefined {
    return undefined;
  }
}

function frameType({ data, type }: Outgoing): 'text' | 'binary' {
  return type ?? (data instanceof Uint8Array ? 'binary' : 'text');
}

function invalid(fn: ConnCall, needs: string): Failure {
  return new Failure(`invalid_argument: ${fn} takes ${needs}`);
}
