/** Publishes reports to an MQTT broker (3.1.1 or 5), each as JSON under a topic made of what it has. */

import type { IClientOptions, IClientPublishOptions, MqttClient } from 'mqtt';
import { MoonwireError } from '../errors.js';
import { unlessAborted } from './abort.js';
import { endpointOf } from './endpoint.js';
import { toJson } from './line.js';
import type { MqttSinkSettings } from './registry.js';
import { type Delivery, Rejected, type Sink } from './sink.js';
import { topicTemplate } from './template.js';
import { tlsOptions } from './tls.js';

/** Messages under way; a broker of MQTT 5 may ask for fewer. */
const MOST_UNDER_WAY = 100;
const KEEPALIVE_SECONDS = 60;
/** Bytes of a PUBLISH beside topic and payload, generously: headers and the properties sent here. */
const OVERHEAD_BYTES = 128;
/** MQTT 5 §2.4, reason codes that concern the message: topic name invalid, packet too large, payload format invalid. */
const ABOUT_MESSAGE = new Set([0x90, 0x95, 0x99]);

/** A connection, and what becomes of it. */
interface Session {
  readonly client: MqttClient;
  /** Rejects when the connection is over. */
  readonly lost: Promise<never>;
  readonly underWay: number;
  /** Longest packet the broker takes. */
  readonly packetBytes: number;
}

export class MqttSink implements Sink {
  private readonly topicOf: (delivery: Delivery) => string;
  private session: Session | undefined;
  /** Ids of a batch that failed half-way which the broker has all the same. */
  private readonly confirmed = new Set<string>();

  constructor(private readonly settings: MqttSinkSettings) {
    this.topicOf = topicTemplate(settings.topic);
  }

  async deliver(batch: readonly Delivery[], signal: AbortSignal): Promise<void> {
    const refused = new Map<number, string>();
    try {
      this.session ??= await unlessAborted(this.connect(signal), signal);
      const { session } = this;
      const entries = batch.entries();
      const publishNext = async (): Promise<void> => {
        for (const [index, delivery] of entries) {
          if (this.confirmed.has(delivery.id)) continue;
          const problem = await this.publish(session, delivery);
          if (problem === undefined) this.confirmed.add(delivery.id);
          else refused.set(index, problem);
        }
      };
      const publishers = Array.from({ length: Math.min(session.underWay, batch.length) }, publishNext);
      await unlessAborted(Promise.race([Promise.all(publishers), session.lost]), signal);
    } catch (error) {
      await this.close();
      throw error;
    }
    this.confirmed.clear();
    const [first] = refused.values();
    if (first !== undefined) throw new Rejected(first, [...refused.keys()], true);
  }

  async close(): Promise<void> {
    this.session?.client.end(true);
    this.session = undefined;
  }

  /** Resolves when the broker has it, or to why it refuses this message; rejects when that is not known. */
  private publish({ client, packetBytes }: Session, delivery: Delivery): Promise<string | undefined> {
    const { qos, retain, version } = this.settings;
    const topic = this.topicOf(delivery);
    const payload = toJson(delivery);
    const size = Buffer.byteLength(topic) + payload.length + OVERHEAD_BYTES;
    if (Buffer.byteLength(topic) > 65_535) return Promise.resolve('its topic is too long');
    if (size > packetBytes) return Promise.resolve(`the broker takes at most ${packetBytes} bytes`);
    const options: IClientPublishOptions = {
      qos,
      retain,
      ...(version === 5 && {
        properties: {
          payloadFormatIndicator: true,
          contentType: 'application/json',
          userProperties: { id: delivery.id },
        },
      }),
    };
    return new Promise((resolve, reject) => {
      client.publish(topic, payload as Buffer, options, (error) => {
        if (!error) resolve(undefined);
        else if (ABOUT_MESSAGE.has((error as { code?: unknown }).code as number)) resolve(error.message);
        else reject(error);
      });
    });
  }

  private async connect(signal: AbortSignal): Promise<Session> {
    const { default: mqtt } = await import('mqtt');
    const { url, username, password, version, clientId, tls } = this.settings;
    const isTls = url.startsWith('mqtts:');
    const options: IClientOptions = {
      protocol: isTls ? 'mqtts' : 'mqtt',
      ...endpointOf(url, isTls ? 8883 : 1883),
      protocolVersion: version,
      ...(username !== undefined && { username }),
      ...(password !== undefined && { password }),
      ...(clientId !== undefined && { clientId }),
      clean: true,
      keepalive: KEEPALIVE_SECONDS,
      // Whoever delivers tries again, and keeps what is to be delivered.
      reconnectPeriod: 0,
      connectTimeout: 2 ** 31 - 1,
      queueQoSZero: false,
      ...(isTls && (await tlsOptions(tls))),
    };
    const client = mqtt.connect(options);
    const lost = new Promise<never>((_, reject) => {
      client.on('error', reject);
      client.on('disconnect', ({ reasonCode }) => {
        reject(new MoonwireError('not_connected', `the broker ended the connection (reason ${reasonCode})`));
      });
      client.on('close', () =>
        reject(new MoonwireError('not_connected', 'the connection to the broker was lost')),
      );
    });
    lost.catch(() => {});
    const end = (): void => {
      client.end(true);
    };
    signal.addEventListener('abort', end);
    try {
      return await Promise.race([established(client, lost), lost]);
    } catch (error) {
      end();
      throw error;
    } finally {
      signal.removeEventListener('abort', end);
    }
  }
}

/** The session once the broker has accepted it, with the bounds of MQTT 5 §3.2.2.3. */
function established(client: MqttClient, lost: Promise<never>): Promise<Session> {
  return new Promise((resolve) => {
    client.once('connect', ({ properties }) => {
      resolve({
        client,
        lost,
        underWay: Math.min(MOST_UNDER_WAY, properties?.receiveMaximum ?? MOST_UNDER_WAY),
        packetBytes: properties?.maximumPacketSize ?? Number.POSITIVE_INFINITY,
      });
    });
  });
}
