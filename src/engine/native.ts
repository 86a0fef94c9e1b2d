/**
 * A protocol that Moonwire speaks itself (MQTT, CoAP, HTTP): it stands between a client's frames and its script, which
 * gets messages and decides, but frames and answers nothing.
 */

import type { Framer } from '../bytes/framer.js';
import type { ServerConfig } from '../config/schema.js';
import type { Failure } from '../errors.js';
import type { LuaValue } from '../script/executor.js';
import type { Subscriber } from './channels.js';
import type { Client } from './client.js';
import type { Outgoing } from './mesh.js';
import type { Program } from './program.js';

/** What a station asks of such a protocol; one for each server or link. */
export interface NativeProtocol {
  /** Settings are in effect that its clients outlive. */
  reconfigure?(config: ServerConfig): void;
  /** Cuts a client's stream into frames, where there are streams. What cannot be a frame it answers itself. */
  createFramer?(client: Client): Framer;
  /** Seconds an incomplete frame may wait. */
  readonly partialSeconds?: number;
  /** A WebSocket message of text came, for a protocol whose bytes come in binary ones; without it text is bytes, too. */
  refuseText?(client: Client): void;
  /** The connection is open, where it is on us to speak first. */
  opened?(client: Client): void;
  /** A link is about to be closed by us. */
  leaving?(client: Client): void;
  /** A frame of a client, after those before it are done. It calls the script's handlers. */
  handle(client: Client, frame: Uint8Array): Promise<void> | undefined;
  /** The connection is over. Returns whether the script is to know (`on_close`): not of one that it never met. */
  closed(client: Client): boolean;
  /** Called about once a second: the limit that the client has reached and what that means, if any. */
  check(client: Client, now: number): { limit: string; message: string } | undefined;
  /** Sends a message from outside the handlers to one client; why that failed. */
  send(client: Client, message: Outgoing): Failure | undefined;
  /** `conn:send` from a script, whose values are those of `program`. */
  sendFromScript(client: Client, data: LuaValue, program: Program): Failure | undefined;
  /** What it keeps for a client, as plain data for another process; absent where its clients cannot move. */
  save?(client: Client): unknown;
  /** Goes on with a client for which another process has kept that. */
  restore?(client: Client, saved: unknown): void;
  /** What a link keeps beyond its connection, as {@link save} does for a client. */
  saveLink?(): unknown;
  /** Goes on from that, before the link opens. */
  restoreLink?(saved: unknown): void;
  /** What is subscribed to channels when this client is to be. */
  subscriberOf(client: Client): Subscriber;
}
