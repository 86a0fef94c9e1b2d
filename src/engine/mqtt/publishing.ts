/** PUBLISH from a device (MQTT 3.3): checked, told to the script, handed on, and acknowledged in that order. */

import type { IPublishPacket } from 'mqtt-packet';
import { topicProblem } from '../../codecs/mqtt_topics.js';
import type { Client } from '../client.js';
import { handOver } from '../handling.js';
import type { Peer } from './peer.js';
import type { Publication } from './publication.js';
import { REASON, type Reason } from './reasons.js';
import type { MqttServer } from './server.js';
import { after, ask, luaValue, refusalOf } from './verdict.js';

/** Aliases that a device may use. */
export const TOPIC_ALIASES = 16;

/** Handles one PUBLISH. */
export function receivePublish(
  server: MqttServer,
  client: Client,
  peer: Peer,
  packet: IPublishPacket,
): Promise<void> | undefined {
  const { session } = peer;
  const id = packet.messageId;
  const topic = topicOf(server, client, peer, packet);
  if (topic === undefined) return undefined;
  if (packet.qos > 0 && !id) {
    server.violated(client, REASON.protocolError, 'a message of QoS 1 or 2 without an id');
    return undefined;
  }
  if (packet.qos === 2 && session.received.has(id!)) {
    // It came before; the answer was lost.
    server.confirm(client, peer, 'pubrec', id!, REASON.success);
    return undefined;
  }
  if (packet.qos === 2 && session.received.size >= server.broker.limits.receiveMaximum) {
    server.violated(client, REASON.receiveMaximumExceeded, 'more messages under way than allowed');
    return undefined;
  }
  const verdict = ask(client, 'on_authorize', 'publish', topic);
  return after(verdict, (answer) => {
    const refused = refusalOf(answer);
    if (refused) {
      client.station.counters.discard('unauthorized', packet.payload.length);
      acknowledge(server, client, peer, packet, refused.reason);
      return undefined;
    }
    const publication = publicationOf(topic, packet);
    return after(tellScript(client, publication, packet), (done) => {
      // What the script failed at is not acknowledged, so that the device keeps it.
      if (done) {
        server.broker.publish(publication, session);
        acknowledge(server, client, peer, packet, REASON.success);
      }
      return undefined;
    });
  });
}

/** The topic of a message, by its alias where it has one; undefined when it has none that is allowed. */
function topicOf(
  server: MqttServer,
  client: Client,
  { aliases }: Peer,
  { topic, properties }: IPublishPacket,
): string | undefined {
  const alias = properties?.topicAlias;
  if (alias !== undefined && (alias < 1 || alias > TOPIC_ALIASES)) {
    server.violated(client, REASON.topicAliasInvalid, `a topic alias is 1 to ${TOPIC_ALIASES}`);
    return undefined;
  }
  const meant = topic === '' && alias !== undefined ? aliases.get(alias) : topic;
  const problem = meant === undefined ? 'a topic alias that was not set' : topicProblem(meant);
  if (problem !== undefined) {
    server.violated(client, meant === undefined ? REASON.protocolError : REASON.topicInvalid, problem);
    return undefined;
  }
  if (alias !== undefined) aliases.set(alias, meant!);
  return meant;
}

/** Hands a message to `on_message`; false when that failed, or a durable report of it. */
export function tellScript(
  client: Client,
  publication: Publication,
  { dup }: IPublishPacket,
): boolean | Promise<boolean> {
  const { vm } = client.program;
  const { topic, payload, qos, retain, properties } = publication;
  const message = vm.table({
    topic: Buffer.from(topic),
    payload,
    qos,
    retain,
    dup,
    ...(properties && { properties: luaValue(client, scriptProperties(properties)) }),
  });
  return handOver(client, [message]);
}

function acknowledge(
  server: MqttServer,
  client: Client,
  peer: Peer,
  { qos, messageId }: IPublishPacket,
  reason: Reason,
): void {
  if (qos === 0) return;
  // Even where the answer gets lost: when the message comes again, it is known.
  if (qos === 2 && reason < 0x80) peer.session.received.add(messageId!);
  server.confirm(client, peer, qos === 1 ? 'puback' : 'pubrec', messageId!, reason);
}

/** A PUBLISH as a message under its topic, its payload copied. */
export function publicationOf(
  topic: string,
  { payload, qos, retain, properties }: IPublishPacket,
): Publication {
  const { messageExpiryInterval, topicAlias: _, subscriptionIdentifier: __, ...rest } = properties ?? {};
  return {
    topic,
    // A copy, so that a message which is kept does not keep the chunk it came in.
    payload: Buffer.from(payload as Buffer),
    qos,
    retain,
    properties: properties && rest,
    expiresAt:
      messageExpiryInterval === undefined ? undefined : performance.now() + messageExpiryInterval * 1000,
  };
}

/** Properties by the names of the standard, as Lua writes names. */
function scriptProperties(properties: NonNullable<Publication['properties']>): object {
  return {
    payload_format: properties.payloadFormatIndicator,
    content_type: properties.contentType,
    response_topic: properties.responseTopic,
    correlation_data: properties.correlationData,
    user: properties.userProperties,
  };
}
