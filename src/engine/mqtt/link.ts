/** A link to an MQTT broker (3.1.1 and 5.0), of which the engine is a client. */

import type { IConnackPacket, IConnectPacket, IPublishPacket, Packet } from 'mqtt-packet';
import type { Framer, FramerSpec } from '../../bytes/framer.js';
import { framer } from '../../bytes/framers.js';
import type { LinkConfig } from '../../config/schema.js';
import { Failure, MoonwireError, messageOf } from '../../errors.js';
import type { LuaValue } from '../../script/executor.js';
import type { Client } from '../client.js';
import { callHandler } from '../handling.js';
import type { Outgoing } from '../mesh.js';
import type { NativeProtocol } from '../native.js';
import type { Program } from '../program.js';
import type { Station } from '../station.js';
import type { Broker } from './broker.js';
import type { Publication } from './publication.js';
import { publicationOf, tellScript } from './publishing.js';
import { readPacket } from './reading.js';
import type { SavedSession } from './saved.js';
import { fromOutside, fromScript } from './sending.js';
import { Session } from './session.js';
import { after } from './verdict.js';

export type MqttLinkConfig = Extract<LinkConfig, { kind: 'mqtt' }>;

/** The largest packet may come over a slow line. */
const PARTIAL_SECONDS = 60;
/**
 * Messages that the script failed at, after which they are asked for again by another connection: a broker sends few
 * without an answer (10 and 20 are usual), and nothing more then.
 */
const MAX_UNHANDLED = 8;
/** The longest packet there is (2.1.4). */
const MAX_PACKET_BYTES = 268_435_460;

/** Why a broker refuses a connection: return codes of 3.1.1 (3.2.2.3), and what MQTT 5 (3.2.2.2) has beside them. */
const REFUSALS: Readonly<Record<number, string>> = {
  1: 'it does not speak this version',
  2: 'it does not take this client id',
  3: 'it is not available',
  4: 'wrong user name or password',
  5: 'not authorized',
  132: 'it does not speak this version',
  133: 'it does not take this client id',
  134: 'wrong user name or password',
  135: 'not authorized',
  136: 'it is not available',
  137: 'it is busy',
  138: 'banned',
  159: 'too many connections',
};

/** One connection to the broker. */
class Login {
  /** The broker has accepted it. */
  accepted = false;
  /** The longest silence of the broker in milliseconds. */
  silenceMs = 0;
  /** Messages that were not acknowledged, since the script failed at them. */
  unhandled = 0;
  pings: NodeJS.Timeout | undefined;
}

function loginOf(client: Client): Login {
  return client.peer as Login;
}

export class MqttLink implements NativeProtocol {
  readonly partialSeconds = PARTIAL_SECONDS;
  private readonly framing: FramerSpec;
  /** What is under way survives the connection. */
  private readonly session: Session;

  constructor(
    private readonly config: MqttLinkConfig,
    private readonly station: Station,
    private readonly broker: Broker,
  ) {
    const { mqtt, limits, name } = config;
    const clientId = mqtt.clientId ?? `${station.engine.options.name}-${name}`;
    this.session = new Session(clientId, station, broker.packets, broker.limits, broker.counters);
    this.framing = framer('varint', { at: 2 }, { max: limits.frameBytes });
  }

  createFramer(client: Client): Framer {
    return this.framing.create((_bytes, reason) => this.violated(client, `${reason} packet`));
  }

  opened(client: Client): void {
    client.peer = new Login();
    this.write(client, this.connectPacket());
  }

  check(client: Client, now: number): undefined {
    const { accepted, silenceMs } = loginOf(client);
    const { timeoutSeconds } = this.config.mqtt;
    if (accepted) this.session.pump();
    const silent = accepted
      ? now - client.lastSeen > silenceMs
      : now - client.openedAt > timeoutSeconds * 1000;
    if (!silent || client.closed) return;
    this.station.counters.closedIdle++;
    const what = accepted ? `silent for ${silenceMs / 1000} s` : `no CONNACK within ${timeoutSeconds} s`;
    client.destroy(new MoonwireError('timeout', `the broker: ${what}`));
  }

  leaving(client: Client): void {
    // Without it the broker would publish the will.
    if (loginOf(client)?.accepted) this.write(client, { cmd: 'disconnect' });
  }

  closed(client: Client): boolean {
    const { session, station } = this;
    const { accepted, pings } = loginOf(client);
    clearInterval(pings);
    if (session.client === client) session.client = undefined;
    // Scripts subscribe again when the link is open again.
    if (session.channels) station.engine.channels.unsubscribe(session, session.channels);
    return accepted;
  }

  send(client: Client, message: Outgoing): Failure | undefined {
    return this.deliver(client, () => fromOutside(client, message, undefined));
  }

  sendFromScript(client: Client, data: LuaValue, program: Program): Failure | undefined {
    return this.deliver(client, () => fromScript(client, data, undefined, program));
  }

  /** The messages that the broker has not confirmed. */
  saveLink(): SavedSession {
    return this.session.save(performance.now());
  }

  restoreLink(saved: unknown): void {
    this.session.restore(saved as SavedSession, performance.now());
  }

  subscriberOf(): Session {
    return this.session;
  }

  handle(client: Client, frame: Uint8Array): Promise<void> | undefined {
    const { station } = this;
    station.counters.frames++;
    station.frames.add(client.id, false, frame, client.lastSeen);
    let packet: Packet;
    try {
      packet = readPacket(this.broker.packets, frame, this.config.mqtt.version);
    } catch (error) {
      station.decodeFailed(client, frame, messageOf(error));
      this.violated(client, messageOf(error));
      return undefined;
    }
    if (packet.cmd === 'connack') return this.answered(client, packet);
    if (packet.cmd !== 'disconnect' && !loginOf(client).accepted) {
      this.violated(client, `${packet.cmd} before CONNACK`);
      return undefined;
    }
    return this.receive(client, packet);
  }

  // -- CONNECT --------------------------------------------------------------------------------------------------

  private connectPacket(): IConnectPacket {
    const { clean, keepAlive, version, username, password, will, sessionExpiry } = this.config.mqtt;
    return {
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion: version,
      clientId: this.session.clientId,
      clean,
      keepalive: keepAlive,
      ...(username !== undefined && { username }),
      ...(password !== undefined && { password: Buffer.from(password) }),
      ...(will && { will: { ...will, payload: Buffer.from(will.payload) } }),
      ...(version === 5 && {
        properties: {
          receiveMaximum: this.broker.limits.receiveMaximum,
          maximumPacketSize: this.config.limits.frameBytes,
          ...(!clean && { sessionExpiryInterval: Math.round(sessionExpiry) }),
        },
      }),
    };
  }

  private answered(client: Client, packet: IConnackPacket): Promise<void> | undefined {
    const { properties = {}, sessionPresent } = packet;
    const login = loginOf(client);
    const code = packet.reasonCode ?? packet.returnCode ?? 0;
    if (login.accepted) {
      this.violated(client, 'a second CONNACK');
      return undefined;
    }
    if (code !== 0) {
      const why = properties.reasonString ?? REFUSALS[code] ?? `reason ${code}`;
      client.destroy(new MoonwireError('unauthorized', `the broker refuses the connection: ${why}`));
      return undefined;
    }
    const { keepAlive, version, subscribe } = this.config.mqtt;
    const { receiveMaximum = 65_535, maximumPacketSize = MAX_PACKET_BYTES, serverKeepAlive } = properties;
    login.accepted = true;
    const seconds = serverKeepAlive ?? keepAlive;
    login.silenceMs = seconds > 0 ? seconds * 1500 : Number.POSITIVE_INFINITY;
    if (seconds > 0)
      login.pings = setInterval(() => this.write(client, { cmd: 'pingreq' }), seconds * 500).unref();
    if (!sessionPresent) this.session.received.clear();
    const subscriptions = subscribe.map(({ topic, qos }) => ({ topic, qos }));
    if (subscriptions.length > 0) this.write(client, { cmd: 'subscribe', messageId: 1, subscriptions });
    this.session.resume(client, { version, receiveMaximum, maximumPacketSize });
    return callHandler(client, 'on_connect');
  }

  // -- What the broker sends once it has accepted ---------------------------------------------------------------

  private receive(client: Client, packet: Packet): Promise<void> | undefined {
    const { session } = this;
    switch (packet.cmd) {
      case 'publish':
        return this.receivePublish(client, packet);
      case 'puback':
      case 'pubcomp':
        this.settled(client, packet.messageId!, packet.reasonCode ?? 0);
        return undefined;
      case 'pubrec':
        if ((packet.reasonCode ?? 0) >= 0x80) {
          this.settled(client, packet.messageId!, packet.reasonCode!);
        } else {
          session.recorded(packet.messageId!);
          this.write(client, { cmd: 'pubrel', messageId: packet.messageId! });
        }
        return undefined;
      case 'pubrel':
        session.received.delete(packet.messageId!);
        this.write(client, { cmd: 'pubcomp', messageId: packet.messageId! });
        return undefined;
      case 'suback':
        for (const [index, code] of packet.granted.entries()) {
          if (Number(code) < 0x80) continue;
          const { topic } = this.config.mqtt.subscribe[index] ?? { topic: '?' };
          this.station.log.warn(`the broker refuses the subscription to ${topic} (reason ${code})`);
        }
        return undefined;
      case 'pingresp':
        return undefined;
      case 'disconnect': {
        const why = packet.properties?.reasonString ?? `reason ${packet.reasonCode ?? 0}`;
        client.destroy(new MoonwireError('closed', `the broker ends the connection: ${why}`));
        return undefined;
      }
      default:
        this.violated(client, `${packet.cmd} from a broker`);
        return undefined;
    }
  }

  /** A message, which is acknowledged once the script is done with it and its durable reports are safe. */
  private receivePublish(client: Client, packet: IPublishPacket): Promise<void> | undefined {
    const { session } = this;
    const { qos, messageId: id, topic } = packet;
    // No alias is allowed, since none was offered (MQTT 5, 3.1.2.11.5).
    if (topic === '' || (qos > 0 && !id)) {
      this.violated(client, topic === '' ? 'a message without a topic' : 'a message without an id');
      return undefined;
    }
    const confirm = (): void => {
      if (qos > 0) this.write(client, { cmd: qos === 1 ? 'puback' : 'pubrec', messageId: id! });
    };
    if (qos === 2 && session.received.has(id!)) {
      // It came before; the answer was lost.
      confirm();
      return undefined;
    }
    const done = tellScript(client, publicationOf(topic, packet), packet);
    return after(done, (handled) => {
      if (handled) {
        if (qos === 2) session.received.add(id!);
        confirm();
      } else if (qos > 0 && ++loginOf(client).unhandled >= MAX_UNHANDLED) {
        const why = `the script failed at ${MAX_UNHANDLED} messages, which are asked for again`;
        client.destroy(new MoonwireError('closed', why));
      }
      return undefined;
    });
  }

  /** The broker is done with a message of ours. */
  private settled(client: Client, id: number, reasonCode: number): void {
    if (reasonCode >= 0x80)
      this.station.sendFailed(client, new Failure(`forbidden: the broker refuses it (reason ${reasonCode})`));
    this.session.acknowledged(id);
  }

  // -- Ends, and what is sent -----------------------------------------------------------------------------------

  private deliver(client: Client, make: () => Publication | Failure): Failure | undefined {
    if (client.closed || !loginOf(client)?.accepted)
      return new Failure('not_connected: the broker is not connected');
    const publication = make();
    return publication instanceof Failure ? publication : this.session.sendTo(publication);
  }

  /** Ends the connection to a broker that breaks the protocol. */
  private violated(client: Client, detail: string): void {
    if (client.closed) return;
    this.station.counters.decodeErrors++;
    client.destroy(new MoonwireError('decode_error', `the broker breaks the protocol: ${detail}`));
  }

  private write(client: Client, packet: Packet): void {
    client.send(this.broker.packets.generate(packet, this.config.mqtt.version), 'binary');
  }
}
