/** An MQTT server (MQTT 3.1, 3.1.1 and 5.0): what devices send, in turn, and what they are answered. */

import type { IConnectPacket, Packet } from 'mqtt-packet';
import type { Framer, FramerSpec } from '../../bytes/framer.js';
import { framer } from '../../bytes/framers.js';
import type { MqttVersion } from '../../codecs/mqtt_packets.js';
import type { ServerConfig } from '../../config/schema.js';
import { Failure, MoonwireError, messageOf } from '../../errors.js';
import type { LuaValue } from '../../script/executor.js';
import type { Client } from '../client.js';
import { callHandler } from '../handling.js';
import type { Outgoing } from '../mesh.js';
import type { NativeProtocol } from '../native.js';
import type { Program } from '../program.js';
import type { Station } from '../station.js';
import type { Broker } from './broker.js';
import { type Login, loginFacts, type Refused, readConnect } from './login.js';
import { Peer, peerOf } from './peer.js';
import { propertyProblem } from './properties.js';
import type { Publication } from './publication.js';
import { receivePublish, TOPIC_ALIASES } from './publishing.js';
import { readPacket } from './reading.js';
import { REASON, type Reason, returnCode } from './reasons.js';
import { type SavedPeer, savedWill, willFrom } from './saved.js';
import { fromOutside, fromScript } from './sending.js';
import type { Session } from './session.js';
import { receiveSubscribe, receiveUnsubscribe } from './subscribing.js';
import { type Answer, after, ask, refusalOf } from './verdict.js';

/** The largest packet may come over a slow line. */
const PARTIAL_SECONDS = 60;

export class MqttServer implements NativeProtocol {
  readonly partialSeconds = PARTIAL_SECONDS;
  private framing!: FramerSpec;

  constructor(
    private config: ServerConfig,
    private readonly station: Station,
    readonly broker: Broker,
  ) {
    this.reconfigure(config);
  }

  reconfigure(config: ServerConfig): void {
    this.config = config;
    this.framing = framer('varint', { at: 2 }, { max: config.limits.frameBytes });
  }

  createFramer(client: Client): Framer {
    return this.framing.create((_bytes, reason) => {
      const code = reason === 'oversize' ? REASON.packetTooLarge : REASON.malformedPacket;
      this.violated(client, code, reason === 'oversize' ? 'a packet that is too large' : `${reason} packet`);
    });
  }

  /** Control packets come in binary messages (6.0). */
  refuseText(client: Client): void {
    this.station.counters.decodeErrors++;
    this.station.limitReached(client, 'protocol', 'MQTT: a WebSocket message of text');
    client.end(1003, 'MQTT comes in binary messages');
  }

  check(client: Client, now: number): { limit: string; message: string } | undefined {
    const { limits } = this.config;
    const peer = peerOf(client);
    if (!peer) {
      if (now - client.openedAt < limits.handshakeSeconds * 1000) return undefined;
      return { limit: 'handshakeSeconds', message: `no CONNECT within ${limits.handshakeSeconds} s` };
    }
    // What found no room in the send buffer goes on here.
    peer.session.pump();
    const silenceMs = peer.silenceMs || limits.idleSeconds * 1000;
    if (silenceMs === 0 || now - client.lastSeen <= silenceMs) return undefined;
    this.tell(client, REASON.keepAliveTimeout);
    return { limit: 'idleSeconds', message: `silent for ${silenceMs / 1000} s` };
  }

  subscriberOf(client: Client): Session | Client {
    return peerOf(client)?.session ?? client;
  }

  closed(client: Client): boolean {
    const peer = peerOf(client);
    if (!peer) return false;
    const { session } = peer;
    // One that was taken over belongs to another connection by now.
    if (session.client === client) this.broker.leave(session, peer.sessionSeconds, peer.will);
    else if (peer.will) this.broker.publish(peer.will.publication, session);
    return true;
  }

  save(client: Client): SavedPeer | undefined {
    const peer = peerOf(client);
    if (!peer) return undefined;
    const { session, version, silenceMs, sessionSeconds, aliases } = peer;
    const will = savedWill(peer.will, performance.now());
    return {
      clientId: session.clientId,
      version,
      silenceMs,
      sessionSeconds,
      will,
      aliases: [...aliases],
    };
  }

  restore(client: Client, saved: SavedPeer | undefined): void {
    const session = saved && this.broker.adopt(saved.clientId, client);
    if (!session) return;
    const { version, silenceMs, sessionSeconds, aliases } = saved;
    const will = willFrom(saved.will, performance.now());
    const peer = new Peer(session, version, silenceMs, { will, sessionSeconds });
    for (const [alias, topic] of aliases) peer.aliases.set(alias, topic);
    client.peer = peer;
  }

  send(client: Client, message: Outgoing): Failure | undefined {
    return this.deliver(client, (topic) => fromOutside(client, message, topic));
  }

  sendFromScript(client: Client, data: LuaValue, program: Program): Failure | undefined {
    return this.deliver(client, (topic) => fromScript(client, data, topic, program));
  }

  handle(client: Client, frame: Uint8Array): Promise<void> | undefined {
    const { station } = this;
    const peer = peerOf(client);
    station.counters.frames++;
    station.frames.add(client.id, false, frame, client.lastSeen);
    let packet: Packet;
    try {
      packet = readPacket(this.broker.packets, frame, peer?.version ?? 4);
    } catch (error) {
      const isVersion = !peer && messageOf(error).includes('protocol version');
      if (isVersion) this.refuse(client, 4, REASON.unsupportedVersion);
      station.decodeFailed(client, frame, messageOf(error));
      this.violated(client, REASON.malformedPacket, messageOf(error));
      return undefined;
    }
    if (!peer) {
      if (packet.cmd === 'connect') return this.login(client, packet);
      this.violated(client, REASON.protocolError, `${packet.cmd} before CONNECT`);
      return undefined;
    }
    return this.receive(client, peer, packet);
  }

  // -- CONNECT --------------------------------------------------------------------------------------------------

  private login(client: Client, packet: IConnectPacket): Promise<void> | undefined {
    const version = (packet.protocolVersion ?? 4) as MqttVersion;
    const login = readConnect(packet, this.broker.limits);
    if ('reason' in login) {
      this.turnAway(client, version, login);
      return undefined;
    }
    const verdict = ask(client, 'on_authenticate', loginFacts(login));
    return after(verdict, (answer) => this.admit(client, login, answer));
  }

  private admit(client: Client, login: Login, answer: Answer): Promise<void> | undefined {
    if (client.closed) return undefined;
    const refused = refusalOf(answer);
    if (refused) {
      this.turnAway(client, login.version, refused);
      return undefined;
    }
    const before = this.broker.find(login.clientId)?.client;
    if (before) this.end(before, REASON.sessionTakenOver, 'another connection has this client id now');
    const opened = this.broker.open(login.clientId, client, login.clean);
    if (!opened) {
      this.turnAway(client, login.version, { reason: REASON.serverBusy, detail: 'no room for a session' });
      return undefined;
    }
    const { session, present } = opened;
    client.peer = new Peer(session, login.version, login.keepalive * 1500, login);
    client.context.set('mqtt_client_id', login.clientId);
    if (login.packet.username !== undefined) client.context.set('mqtt_username', login.packet.username);
    this.write(client, login.version, {
      cmd: 'connack',
      sessionPresent: present,
      ...(login.version === 5
        ? { reasonCode: REASON.success, properties: this.terms(login) }
        : { returnCode: 0 }),
    });
    session.resume(client, login);
    return callHandler(client, 'on_connect');
  }

  /** What CONNACK tells a client of MQTT 5 (3.2.2.3). */
  private terms(login: Login): object {
    const asked = login.packet.properties?.sessionExpiryInterval ?? 0;
    return {
      receiveMaximum: this.broker.limits.receiveMaximum,
      maximumPacketSize: this.config.limits.frameBytes,
      topicAliasMaximum: TOPIC_ALIASES,
      sharedSubscriptionAvailable: false,
      ...(login.assigned && { assignedClientIdentifier: login.clientId }),
      ...(login.sessionSeconds !== asked && { sessionExpiryInterval: login.sessionSeconds }),
    };
  }

  private turnAway(client: Client, version: MqttVersion, { reason, detail }: Refused): void {
    this.station.log.debug(`CONNECT refused: ${detail}`, { remote: client.connection.remote });
    this.refuse(client, version, reason);
    client.endFor(new MoonwireError('unauthorized', detail));
  }

  private refuse(client: Client, version: MqttVersion, reason: Reason): void {
    const code = returnCode(reason);
    if (version === 5) this.write(client, 5, { cmd: 'connack', sessionPresent: false, reasonCode: reason });
    else if (code !== undefined)
      this.write(client, version, { cmd: 'connack', sessionPresent: false, returnCode: code });
  }

  // -- What a client that has logged in sends -------------------------------------------------------------------

  private receive(client: Client, peer: Peer, packet: Packet): Promise<void> | undefined {
    const { session } = peer;
    const problem = propertyProblem(packet);
    if (problem) {
      this.violated(client, problem.reason, problem.detail);
      return undefined;
    }
    switch (packet.cmd) {
      case 'publish':
        return receivePublish(this, client, peer, packet);
      case 'puback':
      case 'pubcomp':
        session.acknowledged(packet.messageId!);
        return undefined;
      case 'pubrec':
        this.recorded(client, peer, packet.messageId!, packet.reasonCode ?? 0);
        return undefined;
      case 'pubrel': {
        const known = session.received.delete(packet.messageId!);
        this.confirm(client, peer, 'pubcomp', packet.messageId!, known ? REASON.success : REASON.idNotFound);
        return undefined;
      }
      case 'subscribe':
        return receiveSubscribe(this, client, peer, packet);
      case 'unsubscribe':
        receiveUnsubscribe(this, client, peer, packet);
        return undefined;
      case 'pingreq':
        this.write(client, peer.version, { cmd: 'pingresp' });
        return undefined;
      case 'disconnect': {
        const { properties, reasonCode = 0 } = packet;
        // A session that was to end with its connection is not kept after all (3.14.2.2.2).
        const wasToEnd = peer.sessionSeconds === 0 && this.broker.limits.sessionSeconds > 0;
        if (wasToEnd && properties?.sessionExpiryInterval) {
          this.violated(client, REASON.protocolError, 'a session expiry interval that was 0 at CONNECT');
          return undefined;
        }
        // "Disconnect with will message" (MQTT 5, 3.14.2.1) is all that keeps it.
        if (reasonCode !== 0x04) peer.will = undefined;
        if (properties?.sessionExpiryInterval !== undefined)
          peer.sessionSeconds = Math.min(properties.sessionExpiryInterval, this.broker.limits.sessionSeconds);
        client.end();
        return undefined;
      }
      default:
        this.violated(client, REASON.protocolError, `${packet.cmd} from a client`);
        return undefined;
    }
  }

  private recorded(client: Client, { session, version }: Peer, id: number, reasonCode: number): void {
    if (reasonCode >= 0x80) {
      session.acknowledged(id);
      return;
    }
    const known = session.recorded(id);
    this.write(client, version, {
      cmd: 'pubrel',
      messageId: id,
      ...(version === 5 && !known && { reasonCode: REASON.idNotFound }),
    });
  }

  /** Answers a step of the delivery of a message (3.4 to 3.7). */
  confirm(
    client: Client,
    { version }: Peer,
    cmd: 'puback' | 'pubrec' | 'pubcomp',
    messageId: number,
    reason: Reason,
  ): void {
    this.write(client, version, {
      cmd,
      messageId,
      ...(version === 5 && reason !== 0 && { reasonCode: reason }),
    });
  }

  // -- Ends, and what is sent -----------------------------------------------------------------------------------

  private deliver(client: Client, make: (topic: string) => Publication | Failure): Failure | undefined {
    const peer = peerOf(client);
    if (!peer) return new Failure('not_connected: the device has not logged in yet');
    const publication = make(this.broker.limits.sendTopic.replace('{client_id}', peer.session.clientId));
    if (publication instanceof Failure) return publication;
    // What is sent to one device is no news of a topic's.
    return peer.session.sendTo({ ...publication, retain: false });
  }

  /** Ends the connection of a client that broke the protocol (4.13), or whose place is taken. */
  violated(client: Client, reason: Reason, detail: string): void {
    if (client.closed) return;
    this.station.counters.decodeErrors++;
    this.station.limitReached(client, 'protocol', `MQTT: ${detail}`);
    this.end(client, reason, detail);
  }

  private end(client: Client, reason: Reason, detail: string): void {
    this.tell(client, reason);
    client.endFor(new MoonwireError('closed', detail));
  }

  /** Tells a client of MQTT 5 why it is disconnected. */
  private tell(client: Client, reason: Reason): void {
    const peer = peerOf(client);
    if (peer?.version === 5) this.write(client, 5, { cmd: 'disconnect', reasonCode: reason });
  }

  /** Writes a packet. */
  write(client: Client, version: MqttVersion, packet: Packet): void {
    client.send(this.broker.packets.generate(packet, version), 'binary');
  }
}
