/** A message as MQTT carries it, and how those of other origin become one. */

import type { IPublishPacket, QoS } from 'mqtt-packet';
import { Failure, messageOf } from '../../errors.js';
import type { Outgoing } from '../mesh.js';
import type { Station } from '../station.js';

/** What MQTT 5 says of a message beside its topic, for whoever gets it. */
export type PublicationProperties = Pick<
  NonNullable<IPublishPacket['properties']>,
  'payloadFormatIndicator' | 'responseTopic' | 'correlationData' | 'userProperties' | 'contentType'
>;

/** A message under its topic. */
export interface Publication {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly properties: PublicationProperties | undefined;
  /** On the clock of `performance.now`; undefined: never. */
  readonly expiresAt: number | undefined;
}

/**
 * The payload of a message: what the entry's `protocol_encode` makes of it; without one, text and bytes as they are
 * and JSON of anything else.
 */
export function payloadOf(station: Station, { data }: Outgoing): Uint8Array | Failure {
  if (station.program.protocol.encodes || typeof data === 'string' || data instanceof Uint8Array)
    return station.encode(data, { session: undefined, conn: () => undefined });
  try {
    return Buffer.from(JSON.stringify(data) ?? '');
  } catch (error) {
    return new Failure(`invalid_argument: ${messageOf(error)}`);
  }
}
