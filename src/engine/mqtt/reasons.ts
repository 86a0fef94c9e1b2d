/** Why a request is refused or a connection ended: the reason codes of MQTT 5 (2.4), and what older clients get. */

/** Reason codes that are sent. */
export const REASON = {
  success: 0x00,
  noSubscriptionExisted: 0x11,
  unspecified: 0x80,
  malformedPacket: 0x81,
  protocolError: 0x82,
  unsupportedVersion: 0x84,
  clientIdInvalid: 0x85,
  badCredentials: 0x86,
  notAuthorized: 0x87,
  serverBusy: 0x89,
  serverStops: 0x8b,
  badAuthMethod: 0x8c,
  keepAliveTimeout: 0x8d,
  sessionTakenOver: 0x8e,
  filterInvalid: 0x8f,
  topicInvalid: 0x90,
  idNotFound: 0x92,
  receiveMaximumExceeded: 0x93,
  topicAliasInvalid: 0x94,
  packetTooLarge: 0x95,
  quotaExceeded: 0x97,
  sharedNotSupported: 0x9e,
} as const;
/** One of them. */
export type Reason = (typeof REASON)[keyof typeof REASON];

/** Return codes of CONNACK in MQTT 3.1.1 (3.2.2.3). */
const RETURN_CODES: Partial<Record<Reason, number>> = {
  [REASON.unsupportedVersion]: 1,
  [REASON.clientIdInvalid]: 2,
  [REASON.badCredentials]: 4,
  [REASON.notAuthorized]: 5,
  [REASON.serverBusy]: 3,
};

/** The return code of a CONNACK that refuses, for MQTT 3.1 and 3.1.1; where there is none, none is sent (3.2.2.3). */
export function returnCode(reason: Reason): number | undefined {
  return RETURN_CODES[reason];
}
