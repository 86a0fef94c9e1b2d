/** SUBSCRIBE and UNSUBSCRIBE from a device (MQTT 3.8, 3.10). */

import type { ISubscribePacket, ISubscription, IUnsubscribePacket } from 'mqtt-packet';
import { filterProblem } from '../../codecs/mqtt_topics.js';
import type { Client } from '../client.js';
import type { Peer } from './peer.js';
import { REASON, type Reason } from './reasons.js';
import type { MqttServer } from './server.js';
import type { Session, Subscription } from './session.js';
import { ask, refusalOf } from './verdict.js';

/** Handles one SUBSCRIBE: each filter is granted or refused by itself. */
export function receiveSubscribe(
  server: MqttServer,
  client: Client,
  peer: Peer,
  packet: ISubscribePacket,
): Promise<void> | undefined {
  const { subscriptions, messageId, properties } = packet;
  if (subscriptions.length === 0 || !messageId) {
    server.violated(client, REASON.protocolError, 'SUBSCRIBE without a topic filter or an id (3.8.3)');
    return undefined;
  }
  const identifier = properties?.subscriptionIdentifier;
  if (identifier === 0) {
    server.violated(client, REASON.protocolError, 'a subscription identifier is not 0');
    return undefined;
  }
  if (subscriptions.some(({ topic, nl }) => nl && topic.startsWith('$share/'))) {
    server.violated(client, REASON.protocolError, '"no local" for a shared subscription (3.8.3.1)');
    return undefined;
  }
  const granted: number[] = [];
  const next = (at: number): Promise<void> | undefined => {
    for (let i = at; i < subscriptions.length; i++) {
      const asked = subscriptions[i]!;
      const problem = unsubscribable(server, peer.session, asked.topic);
      if (problem !== undefined) {
        granted.push(problem);
        continue;
      }
      const verdict = ask(client, 'on_authorize', 'subscribe', asked.topic);
      if (verdict instanceof Promise) {
        return verdict.then((answer) => {
          granted.push(refusalOf(answer)?.reason ?? asked.qos);
          return next(i + 1);
        });
      }
      granted.push(refusalOf(verdict)?.reason ?? asked.qos);
    }
    grant(server, client, peer, packet, granted, identifier);
    return undefined;
  };
  return next(0);
}

/** Makes the granted subscriptions, answers, and sends what is retained for them. */
function grant(
  server: MqttServer,
  client: Client,
  { session, version }: Peer,
  { subscriptions, messageId }: ISubscribePacket,
  granted: number[],
  identifier: number | undefined,
): void {
  if (client.closed) return;
  const retained: (() => void)[] = [];
  for (const [i, asked] of subscriptions.entries()) {
    if (granted[i]! >= 0x80) continue;
    const failure = client.station.engine.channels.subscribe(session, [asked.topic]);
    if (failure) {
      granted[i] = REASON.quotaExceeded;
      continue;
    }
    const isNew = !session.subscriptions.has(asked.topic);
    const subscription = subscriptionOf(asked, identifier);
    session.subscriptions.set(asked.topic, subscription);
    if (asked.rh === 2 || (asked.rh === 1 && !isNew)) continue;
    retained.push(() => {
      for (const publication of server.broker.retained.of(asked.topic))
        session.offerRetained(publication, subscription);
    });
  }
  server.write(client, version, {
    cmd: 'suback',
    messageId: messageId!,
    granted: version === 5 ? granted : granted.map((code) => Math.min(code, 0x80)),
  });
  for (const send of retained) send();
}

/** Why a filter cannot be subscribed to. */
function unsubscribable(server: MqttServer, session: Session, filter: string): Reason | undefined {
  if (filter.startsWith('$share/')) return REASON.sharedNotSupported;
  if (filterProblem(filter) !== undefined) return REASON.filterInvalid;
  const isFull = session.subscriptions.size >= server.broker.limits.subscriptions;
  return isFull && !session.subscriptions.has(filter) ? REASON.quotaExceeded : undefined;
}

/** Handles one UNSUBSCRIBE. */
export function receiveUnsubscribe(
  server: MqttServer,
  client: Client,
  { session, version }: Peer,
  packet: IUnsubscribePacket,
): void {
  if (packet.unsubscriptions.length === 0 || !packet.messageId) {
    server.violated(client, REASON.protocolError, 'UNSUBSCRIBE without a topic filter or an id (3.10.3)');
    return;
  }
  const granted = packet.unsubscriptions.map((filter) =>
    session.subscriptions.delete(filter) ? REASON.success : REASON.noSubscriptionExisted,
  );
  client.station.engine.channels.unsubscribe(session, packet.unsubscriptions);
  server.write(client, version, { cmd: 'unsuback', messageId: packet.messageId, granted });
}

function subscriptionOf({ qos, nl, rap }: ISubscription, identifier: number | undefined): Subscription {
  return { qos, noLocal: nl ?? false, retainAsPublished: rap ?? false, identifier };
}
