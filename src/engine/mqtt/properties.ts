/** Which properties a packet of MQTT 5 from a client may have (2.2.2.2), which mqtt-packet leaves open. */

import type { Packet } from 'mqtt-packet';
import type { Refused } from './login.js';
import { REASON } from './reasons.js';

/** By the names of mqtt-packet; all packets may have user properties, those with a reason its text. */
const ALLOWED: Partial<Record<Packet['cmd'], readonly string[]>> = {
  connect: [
    'sessionExpiryInterval',
    'receiveMaximum',
    'maximumPacketSize',
    'topicAliasMaximum',
    'requestResponseInformation',
    'requestProblemInformation',
    'authenticationMethod',
    'authenticationData',
  ],
  publish: [
    'payloadFormatIndicator',
    'messageExpiryInterval',
    'topicAlias',
    'responseTopic',
    'correlationData',
    'contentType',
  ],
  subscribe: ['subscriptionIdentifier'],
  disconnect: ['sessionExpiryInterval', 'reasonString'],
  auth: ['authenticationMethod', 'authenticationData', 'reasonString'],
};
const CONFIRMATION: readonly string[] = ['reasonString'];
const NONE: readonly string[] = [];

/** Why a packet is refused for its properties; undefined when they are in order. */
export function propertyProblem(packet: Packet): Refused | undefined {
  const { cmd, properties } = packet as Packet & { properties?: Readonly<Record<string, unknown>> };
  if (!properties) return undefined;
  const allowed = ALLOWED[cmd] ?? (/^pub/.test(cmd) ? CONFIRMATION : NONE);
  for (const [name, value] of Object.entries(properties)) {
    if (name === 'userProperties') continue;
    if (Array.isArray(value)) return { reason: REASON.protocolError, detail: `${name} twice` };
    if (allowed.includes(name)) continue;
    // A server is told whose subscription it was by nobody (3.3.4-6).
    const isIdentifier = name === 'subscriptionIdentifier' && cmd === 'publish';
    return {
      reason: isIdentifier ? REASON.protocolError : REASON.malformedPacket,
      detail: `${name} in ${cmd.toUpperCase()}`,
    };
  }
  if (properties.authenticationData !== undefined && properties.authenticationMethod === undefined)
    return { reason: REASON.protocolError, detail: 'authentication data without a method' };
  if (hasWildcards(properties.responseTopic))
    return { reason: REASON.protocolError, detail: 'a response topic with wildcards (3.3.2.3.5)' };
  return undefined;
}

function hasWildcards(topic: unknown): boolean {
  return typeof topic === 'string' && /[+#]/.test(topic);
}
