/** What one MQTT connection that has logged in is, beside its session. */

import type { MqttVersion } from '../../codecs/mqtt_packets.js';
import type { Client } from '../client.js';
import type { Will } from './broker.js';
import type { Login } from './login.js';
import type { Session } from './session.js';

/** One connection that has logged in. */
export class Peer {
  will: Will | undefined;
  sessionSeconds: number;
  /** Topics by their alias (MQTT 5, 3.3.2.3.4). */
  readonly aliases = new Map<number, string>();

  constructor(
    readonly session: Session,
    readonly version: MqttVersion,
    /** The longest silence in milliseconds: one and a half times the keep-alive (3.1.2.10); 0: none. */
    readonly silenceMs: number,
    login: Pick<Login, 'will' | 'sessionSeconds'>,
  ) {
    this.will = login.will;
    this.sessionSeconds = login.sessionSeconds;
  }
}

/** Undefined before its CONNECT was accepted. */
export function peerOf(client: Client): Peer | undefined {
  return client.peer as Peer | undefined;
}
