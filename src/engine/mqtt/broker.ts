/** What all MQTT servers and links of an engine share: sessions, retained messages, wills. */

import { isUtf8 } from 'node:buffer';
import { MqttPackets } from '../../codecs/mqtt_packets.js';
import type { EngineConfig } from '../../config/schema.js';
import { MoonwireError } from '../../errors.js';
import type { Client } from '../client.js';
import type { Engine } from '../engine.js';
import type { Publication } from './publication.js';
import { Retained } from './retained.js';
import { type MqttCounters, Session } from './session.js';

/** A will (MQTT 3.1.2.5), and the seconds that a device may be away before it is published. */
export interface Will {
  readonly publication: Publication;
  readonly delaySeconds: number;
}

/** What waits for a device that is away. */
interface Absence {
  will: Will | undefined;
  willTimer: NodeJS.Timeout | undefined;
  endTimer: NodeJS.Timeout | undefined;
}

/** Longest delay that Node's timers know. */
const MAX_TIMER_SECONDS = 2_147_483;

export class Broker {
  readonly packets = new MqttPackets();
  readonly retained: Retained;
  readonly counters: MqttCounters & { evicted: number } = {
    queueFull: 0,
    expired: 0,
    tooLarge: 0,
    retainedFull: 0,
    evicted: 0,
  };
  /** By client id. */
  private readonly sessions = new Map<string, Session>();
  /** Those without a connection, in the order they left. */
  private readonly away = new Map<Session, Absence>();

  constructor(
    private readonly engine: Engine,
    readonly limits: EngineConfig['mqtt'],
  ) {
    this.retained = new Retained(limits);
  }

  /** Sessions, and how many of them are without a connection. */
  get sessionCounts(): { all: number; away: number } {
    return { all: this.sessions.size, away: this.away.size };
  }

  /** The session of a client id, if there is one. */
  find(clientId: string): Session | undefined {
    return this.sessions.get(clientId);
  }

  /**
   * The session for a connection: with `clean` a new one, else the one that is kept where there is one. Undefined
   * when there is no room for another.
   */
  open(clientId: string, client: Client, clean: boolean): { session: Session; present: boolean } | undefined {
    const old = this.sessions.get(clientId);
    if (old && !clean) {
      this.comeBack(old);
      return { session: old, present: true };
    }
    if (old) this.end(old);
    else if (this.sessions.size >= this.limits.sessions && !this.evict()) return undefined;
    const session = new Session(clientId, client.station, this.packets, this.limits, this.counters);
    this.sessions.set(clientId, session);
    return { session, present: false };
  }

  /** The connection of a session is over. The session is kept for `seconds`; its will may wait as long. */
  leave(session: Session, seconds: number, will: Will | undefined): void {
    session.client = undefined;
    if (seconds <= 0) {
      if (will) this.publish(will.publication, session);
      this.end(session);
      return;
    }
    const absence: Absence = { will, willTimer: undefined, endTimer: undefined };
    this.away.set(session, absence);
    if (will) {
      const publish = () => {
        absence.will = undefined;
        this.publish(will.publication, session);
      };
      if (will.delaySeconds > 0) absence.willTimer = timer(publish, Math.min(will.delaySeconds, seconds));
      else publish();
    }
    absence.endTimer = timer(() => this.end(session), seconds);
  }

  /** Retains a message where it asks for that, and hands it to the subscribers of its topic on all nodes. */
  publish(publication: Publication, from: Session): void {
    if (publication.retain && !this.retained.keep(publication)) this.counters.retainedFull++;
    if (!this.limits.forward) return;
    const { topic, payload: data, qos, retain, properties, expiresAt } = publication;
    const type = properties?.payloadFormatIndicator || isUtf8(data) ? 'text' : 'binary';
    void this.engine.mesh.publish(topic, { data, type, mqtt: { qos, retain, properties, expiresAt, from } });
  }

  /** Forgets all. */
  close(): void {
    for (const session of [...this.sessions.values()]) {
      const absence = this.away.get(session);
      if (absence) absence.will = undefined;
      this.end(session);
    }
  }

  private comeBack(session: Session): void {
    const absence = this.away.get(session);
    clearTimeout(absence?.willTimer);
    clearTimeout(absence?.endTimer);
    this.away.delete(session);
  }

  /** Ends a session for good; a will that waited for it is published (MQTT 5, 3.1.3.2.2). */
  private end(session: Session): void {
    const will = this.away.get(session)?.will;
    this.comeBack(session);
    if (this.sessions.get(session.clientId) === session) this.sessions.delete(session.clientId);
    session.closed = true;
    if (session.channels) this.engine.channels.unsubscribe(session, session.channels);
    if (will) this.publish(will.publication, session);
  }

  /** Makes room by ending the session that has been away longest; false when all are connected. */
  private evict(): boolean {
    const [oldest] = this.away.keys();
    if (!oldest) return false;
    this.counters.evicted++;
    this.end(oldest);
    return true;
  }
}

/** The broker of an engine, made by the first that needs it. Throws `invalid_argument` without `engine.mqtt`. */
export function brokerOf(engine: Engine): Broker {
  const { mqtt } = engine.options;
  if (!mqtt) throw new MoonwireError('invalid_argument', 'MQTT needs the settings engine.mqtt');
  engine.mqtt ??= new Broker(engine, mqtt);
  return engine.mqtt;
}

function timer(run: () => void, seconds: number): NodeJS.Timeout {
  return setTimeout(run, Math.min(seconds, MAX_TIMER_SECONDS) * 1000).unref();
}
