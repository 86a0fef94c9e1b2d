/** What a broker keeps, on its way to the process that takes the place of this one: plain data, times as milliseconds left. */

import type { QoS } from 'mqtt-packet';
import type { MqttVersion } from '../../codecs/mqtt_packets.js';
import type { Will } from './broker.js';
import type { Publication } from './publication.js';
import type { Agreement, MqttCounters, Subscription } from './session.js';

/** A message; `left`: until it expires, undefined: never. */
export interface SavedPublication extends Omit<Publication, 'expiresAt'> {
  readonly left: number | undefined;
}

/** A message on its way to a device. */
export interface SavedCopy {
  readonly publication: SavedPublication;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly identifiers: readonly number[];
}

/** A will, and the delay that it asks for in seconds. */
export interface SavedWill {
  readonly publication: SavedPublication;
  readonly delaySeconds: number;
}

/** What becomes of a session while its device is away. */
export interface SavedAbsence {
  readonly will: SavedWill | undefined;
  /** Until the will is published, and until the session ends. */
  readonly willLeft: number;
  readonly left: number;
}

export interface SavedSession {
  readonly clientId: string;
  /** Name of the server it was last connected to. */
  readonly server: string;
  readonly subscriptions: readonly (readonly [filter: string, Subscription])[];
  readonly channels: readonly string[];
  readonly received: readonly number[];
  readonly agreement: Agreement;
  readonly inflight: readonly (readonly [id: number, SavedCopy | undefined])[];
  readonly queue: readonly SavedCopy[];
  readonly lastId: number;
}

/** All of it; sessions that have been away longest come first. */
export interface SavedBroker {
  readonly retained: readonly SavedPublication[];
  readonly sessions: readonly { readonly session: SavedSession; readonly absence: SavedAbsence }[];
  readonly counters: MqttCounters & { readonly evicted: number };
}

/** A connection that has logged in. */
export interface SavedPeer {
  readonly clientId: string;
  readonly version: MqttVersion;
  readonly silenceMs: number;
  readonly sessionSeconds: number;
  readonly will: SavedWill | undefined;
  readonly aliases: readonly (readonly [alias: number, topic: string])[];
}

/** `now`: by `performance.now()`. */
export function savedPublication({ expiresAt, ...rest }: Publication, now: number): SavedPublication {
  return { ...rest, left: expiresAt === undefined ? undefined : expiresAt - now };
}

export function publicationFrom({ left, ...rest }: SavedPublication, now: number): Publication {
  return { ...rest, expiresAt: left === undefined ? undefined : left + now };
}

export function savedWill(will: Will | undefined, now: number): SavedWill | undefined {
  return will && { ...will, publication: savedPublication(will.publication, now) };
}

export function willFrom(saved: SavedWill | undefined, now: number): Will | undefined {
  return saved && { ...saved, publication: publicationFrom(saved.publication, now) };
}
