/** CONNECT (MQTT 3.1): what it asks for, checked, and what the script is told of it. */

import { randomBytes } from 'node:crypto';
import type { IConnectPacket } from 'mqtt-packet';
import type { MqttVersion } from '../../codecs/mqtt_packets.js';
import { topicProblem } from '../../codecs/mqtt_topics.js';
import type { EngineConfig } from '../../config/schema.js';
import type { Will } from './broker.js';
import { propertyProblem } from './properties.js';
import type { Publication } from './publication.js';
import { REASON, type Reason } from './reasons.js';
import type { Agreement } from './session.js';

/** Longest client id, in bytes of UTF-8. */
const MAX_CLIENT_ID = 1024;

/** A CONNECT that is in order. */
export interface Login extends Agreement {
  readonly clientId: string;
  /** The client gave no id, so it got one. */
  readonly assigned: boolean;
  readonly clean: boolean;
  /** Seconds; 0: none. */
  readonly keepalive: number;
  /** How long the session is kept once the connection is over. */
  readonly sessionSeconds: number;
  readonly will: Will | undefined;
  readonly packet: IConnectPacket;
}

/** A CONNECT that is refused. */
export interface Refused {
  readonly reason: Reason;
  readonly detail: string;
}

/** Checks a CONNECT. */
export function readConnect(packet: IConnectPacket, limits: EngineConfig['mqtt']): Login | Refused {
  const version = (packet.protocolVersion ?? 4) as MqttVersion;
  const { properties, clean = true, keepalive = 0 } = packet;
  if (packet.password !== undefined && packet.username === undefined && version < 5)
    return { reason: REASON.malformedPacket, detail: 'a password without a user name (3.1.2.9)' };
  const problem = propertyProblem(packet);
  if (problem) return problem;
  if (properties?.authenticationMethod !== undefined)
    return { reason: REASON.badAuthMethod, detail: 'no extended authentication is known here' };
  if (properties?.receiveMaximum === 0 || properties?.maximumPacketSize === 0)
    return { reason: REASON.protocolError, detail: 'receive maximum and maximum packet size are at least 1' };
  if (Buffer.byteLength(packet.clientId) > MAX_CLIENT_ID)
    return { reason: REASON.clientIdInvalid, detail: `a client id has at most ${MAX_CLIENT_ID} bytes` };
  if (packet.clientId.includes('\0'))
    return { reason: REASON.malformedPacket, detail: 'a client id holds no U+0000' };
  if (packet.clientId === '' && !clean && version < 5)
    return { reason: REASON.clientIdInvalid, detail: 'a session that is kept needs a client id (3.1.3.1)' };
  const will = readWill(packet);
  if (will && 'reason' in will) return will;
  const asked = version === 5 ? (properties?.sessionExpiryInterval ?? 0) : clean ? 0 : limits.sessionSeconds;
  return {
    version,
    clientId: packet.clientId || `moonwire-${randomBytes(9).toString('hex')}`,
    assigned: packet.clientId === '',
    clean,
    keepalive,
    sessionSeconds: Math.min(asked, limits.sessionSeconds),
    receiveMaximum: properties?.receiveMaximum ?? 65_535,
    maximumPacketSize: properties?.maximumPacketSize ?? Number.POSITIVE_INFINITY,
    will,
    packet,
  };
}

function readWill({ will }: IConnectPacket): Will | Refused | undefined {
  if (!will) return undefined;
  const { topic, payload, qos = 0, retain = false, properties } = will;
  if ((qos as number) > 2) return { reason: REASON.malformedPacket, detail: 'a will has QoS 0, 1 or 2' };
  const problem = topicProblem(topic);
  if (problem) return { reason: REASON.topicInvalid, detail: `will: ${problem}` };
  const { willDelayInterval = 0, messageExpiryInterval, ...rest } = properties ?? {};
  const publication: Publication = {
    topic,
    payload: Buffer.from(payload as Buffer),
    qos,
    retain,
    properties: properties && rest,
    // Counted from its publication, which is what wills wait for.
    expiresAt: undefined,
  };
  return { publication, delaySeconds: willDelayInterval };
}

/** What `on_authenticate` is told. */
export function loginFacts({ packet, clientId, version, clean, keepalive, will }: Login): object {
  return {
    client_id: clientId,
    username: packet.username,
    password: packet.password,
    version: version === 5 ? '5' : version === 4 ? '3.1.1' : '3.1',
    clean,
    keepalive,
    will: will && {
      topic: will.publication.topic,
      payload: will.publication.payload,
      qos: will.publication.qos,
      retain: will.publication.retain,
    },
    properties: packet.properties?.userProperties,
  };
}
