/**
 * What an MQTT server keeps for a client id, longer than a connection where that was asked for (MQTT 4.1): its
 * subscriptions, and the messages of QoS 1 and 2 on their way to it.
 */

import type { IPublishPacket, QoS } from 'mqtt-packet';
import type { MqttPackets, MqttVersion } from '../../codecs/mqtt_packets.js';
import { matches } from '../../codecs/mqtt_topics.js';
import type { EngineConfig } from '../../config/schema.js';
import { Failure } from '../../errors.js';
import type { Subscriber } from '../channels.js';
import type { Client } from '../client.js';
import type { Outgoing } from '../mesh.js';
import type { Station } from '../station.js';
import { type Publication, payloadOf } from './publication.js';
import { publicationFrom, type SavedCopy, type SavedSession, savedPublication } from './saved.js';

/** One subscription, with the options of 3.8.3.1. */
export interface Subscription {
  readonly qos: QoS;
  /** What the client publishes itself is not sent back to it. */
  readonly noLocal: boolean;
  /** The retain flag stays as it was published. */
  readonly retainAsPublished: boolean;
  /** Told with each message (MQTT 5, 3.8.2.1.2). */
  readonly identifier: number | undefined;
}

/** What one connection of a session agreed on. */
export interface Agreement {
  readonly version: MqttVersion;
  /** Messages of QoS 1 and 2 that the device takes at a time. */
  readonly receiveMaximum: number;
  /** Longest packet that the device takes. */
  readonly maximumPacketSize: number;
}

type Limits = EngineConfig['mqtt'];

/** A message on its way to the device. */
interface Copy {
  readonly publication: Publication;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly identifiers: readonly number[];
}

/** Rising for ever; names are metric labels. */
export interface MqttCounters {
  /** Messages for a device that is away or slow that found no room, or expired, or are longer than it takes. */
  queueFull: number;
  expired: number;
  tooLarge: number;
  /** Retained messages that found no room. */
  retainedFull: number;
}

/** The last id a message may have. */
const LAST_ID = 65_535;

export class Session implements Subscriber {
  readonly subscriptions = new Map<string, Subscription>();
  channels: Set<string> | undefined;
  /** The connected client. */
  client: Client | undefined;
  /** Ids of messages of QoS 2 that came and were not released yet. */
  readonly received = new Set<number>();
  /** It is over: no client will have it again. */
  closed = false;
  private agreement: Agreement = { version: 4, receiveMaximum: 1, maximumPacketSize: 0 };
  /** Messages that the device has not confirmed, in the order they were sent; undefined: only its release is due. */
  private readonly inflight = new Map<number, Copy | undefined>();
  private queue: Copy[] = [];
  private queuedBytes = 0;
  private lastId = 0;

  constructor(
    /** Client id as the device gave it, or as it was assigned. */
    readonly clientId: string,
    /** Of the server it was last connected to. */
    public station: Station,
    private readonly packets: MqttPackets,
    private readonly limits: Limits,
    private readonly counters: MqttCounters,
  ) {}

  get version(): MqttVersion {
    return this.agreement.version;
  }

  /** A connection takes the session up: what was under way is sent again (4.4), then what waited. */
  resume(client: Client, agreement: Agreement): void {
    this.client = client;
    this.station = client.station;
    this.agreement = agreement;
    for (const [id, copy] of this.inflight) {
      if (copy) this.transmit(copy, id, true);
      else this.write({ cmd: 'pubrel', messageId: id });
    }
    this.pump();
  }

  /** Bytes from others than the server itself make no sense to an MQTT device. */
  send(): Failure {
    return new Failure('invalid_argument: an MQTT device takes messages, not bytes');
  }

  /** A message was published to a channel. */
  publish(channel: string, message: Outgoing): Failure | undefined {
    const payload = payloadOf(this.station, message);
    if (payload instanceof Failure) return payload;
    const { qos = 2, retain = false, properties, expiresAt, from } = message.mqtt ?? {};
    return this.offer({ topic: channel, payload, qos, retain, properties, expiresAt }, from === this);
  }

  /** Sends a published message by the subscriptions that mean its topic; once, however many these are. */
  offer(publication: Publication, isOwn: boolean): Failure | undefined {
    let qos: QoS | -1 = -1;
    let retain = false;
    const identifiers: number[] = [];
    for (const [filter, subscription] of this.subscriptions) {
      if ((subscription.noLocal && isOwn) || !matches(filter, publication.topic)) continue;
      if (subscription.qos > qos) qos = subscription.qos;
      retain ||= subscription.retainAsPublished;
      if (subscription.identifier !== undefined) identifiers.push(subscription.identifier);
    }
    // What a script subscribed the device to has no options of its own.
    if (qos === -1) {
      if (isOwn) return undefined;
      qos = 2;
    }
    return this.take({
      publication,
      qos: Math.min(qos, publication.qos) as QoS,
      retain: retain && publication.retain,
      identifiers,
    });
  }

  /** Sends a retained message for a subscription that was just made; told apart by its flag (3.3.1.3). */
  offerRetained(publication: Publication, { qos, identifier }: Subscription): void {
    this.take({
      publication,
      qos: Math.min(qos, publication.qos) as QoS,
      retain: true,
      identifiers: identifier === undefined ? [] : [identifier],
    });
  }

  /** Sends a message whether subscribed to or not. */
  sendTo(publication: Publication): Failure | undefined {
    return this.take({ publication, qos: publication.qos, retain: publication.retain, identifiers: [] });
  }

  /** The device has got a message (PUBACK, PUBCOMP), or refuses one of QoS 2: others may follow. */
  acknowledged(id: number): void {
    this.inflight.delete(id);
    this.pump();
  }

  /** The device has got a message of QoS 2 (PUBREC), which is now to be released. */
  recorded(id: number): boolean {
    if (!this.inflight.has(id)) return false;
    this.inflight.set(id, undefined);
    return true;
  }

  /** Sends what waits, as far as the device takes it. */
  pump(): void {
    for (let copy = this.queue[0]; copy && this.isReadyFor(copy); copy = this.queue[0]) {
      this.queue.shift();
      this.queuedBytes -= sizeOf(copy);
      this.transmit(copy, this.nextId(), false);
    }
  }

  /** What it is, for another process; it stays as it is. `now`: by `performance.now()`. */
  save(now: number): SavedSession {
    const { clientId, station, channels = [], lastId } = this;
    const { version, receiveMaximum, maximumPacketSize } = this.agreement;
    return {
      clientId,
      server: station.settings.name,
      subscriptions: [...this.subscriptions],
      channels: [...channels],
      received: [...this.received],
      agreement: { version, receiveMaximum, maximumPacketSize },
      inflight: [...this.inflight].map(([id, copy]) => [id, copy && savedCopy(copy, now)]),
      queue: this.queue.map((copy) => savedCopy(copy, now)),
      lastId,
    };
  }

  /** Goes on, as one that is new, from what another process has saved; its channels are its owner's to restore. */
  restore(saved: SavedSession, now: number): void {
    this.agreement = saved.agreement;
    this.lastId = saved.lastId;
    for (const [filter, subscription] of saved.subscriptions) this.subscriptions.set(filter, subscription);
    for (const id of saved.received) this.received.add(id);
    for (const [id, copy] of saved.inflight) this.inflight.set(id, copy && copyFrom(copy, now));
    this.queue = saved.queue.map((copy) => copyFrom(copy, now));
    this.queuedBytes = this.queue.reduce((sum, copy) => sum + sizeOf(copy), 0);
  }

  private take(copy: Copy): Failure | undefined {
    if (copy.qos === 0) {
      if (!this.client) return new Failure('not_connected: the device is away');
      return this.transmit(copy, undefined, false);
    }
    if (this.queue.length === 0 && this.isReadyFor(copy)) return this.transmit(copy, this.nextId(), false);
    const bytes = sizeOf(copy);
    const { queueMessages, queueBytes } = this.limits;
    if (this.queue.length >= queueMessages || this.queuedBytes + bytes > queueBytes) {
      this.counters.queueFull++;
      return new Failure(`queue_full: ${this.queue.length} messages wait for this device already`);
    }
    this.queue.push(copy);
    this.queuedBytes += bytes;
    return undefined;
  }

  /** Whether another message of QoS 1 or 2 may leave now. */
  private isReadyFor(copy: Copy): boolean {
    const { agreement, limits, client } = this;
    if (!client || client.closed) return false;
    if (this.inflight.size >= Math.min(agreement.receiveMaximum, limits.inflight)) return false;
    return client.connection.pendingBytes + sizeOf(copy) <= client.station.limits.sendBufferBytes;
  }

  /** Writes a message; one of QoS 1 and 2 is under way then. */
  private transmit(copy: Copy, id: number | undefined, again: boolean): Failure | undefined {
    const { publication, qos, retain, identifiers } = copy;
    const { version, maximumPacketSize } = this.agreement;
    const packet: IPublishPacket = {
      cmd: 'publish',
      topic: publication.topic,
      payload: bufferOf(publication.payload),
      qos,
      retain,
      dup: again,
    };
    if (id !== undefined) packet.messageId = id;
    if (version === 5) {
      const left = secondsLeft(publication);
      if (left !== undefined && left <= 0) {
        this.counters.expired++;
        return new Failure('timeout: the message has expired');
      }
      packet.properties = {
        ...publication.properties,
        ...(left !== undefined && { messageExpiryInterval: left }),
        ...(identifiers.length > 0 && { subscriptionIdentifier: [...identifiers] }),
      };
    }
    const bytes = this.packets.generate(packet, version);
    if (bytes.length > maximumPacketSize) {
      // MQTT 5, 3.1.2.11.4: it is as if it had been sent.
      this.counters.tooLarge++;
      return new Failure(`too_large: the device takes ${maximumPacketSize} bytes`);
    }
    if (id !== undefined) this.inflight.set(id, copy);
    const failure = this.client!.send(bytes, 'binary');
    // One that found no room now is sent again with the next connection.
    return id === undefined ? failure : undefined;
  }

  private write(packet: Parameters<MqttPackets['generate']>[0]): void {
    this.client?.send(this.packets.generate(packet, this.version), 'binary');
  }

  private nextId(): number {
    do this.lastId = this.lastId === LAST_ID ? 1 : this.lastId + 1;
    while (this.inflight.has(this.lastId));
    return this.lastId;
  }
}

/** Whole seconds that a message may still wait; undefined for one without such a bound. */
function secondsLeft({ expiresAt }: Publication): number | undefined {
  return expiresAt === undefined ? undefined : Math.ceil((expiresAt - performance.now()) / 1000);
}

function savedCopy({ publication, ...rest }: Copy, now: number): SavedCopy {
  return { ...rest, publication: savedPublication(publication, now) };
}

function copyFrom({ publication, ...rest }: SavedCopy, now: number): Copy {
  return { ...rest, publication: publicationFrom(publication, now) };
}

function sizeOf({ publication }: Copy): number {
  return publication.topic.length + publication.payload.length + 64;
}

/** The same bytes as mqtt-packet wants them. */
function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
