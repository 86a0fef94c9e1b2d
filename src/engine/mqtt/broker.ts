/** What all MQTT servers and links of an engine share: sessions, retained messages, wills. */

import { isUtf8 } from 'node:buffer';
import { MqttPackets } from '../../codecs/mqtt_packets.js';
import type { EngineConfig } from '../../config/schema.js';
import { MoonwireError } from '../../errors.js';
import type { Client } from '../client.js';
import type { Engine } from '../engine.js';
import { peerOf } from './peer.js';
import type { Publication } from './publication.js';
import { Retained } from './retained.js';
import {
  publicationFrom,
  type SavedAbsence,
  type SavedBroker,
  savedPublication,
  savedWill,
  willFrom,
} from './saved.js';
import { type MqttCounters, Session } from './session.js';

/** A will (MQTT 3.1.2.5), and the seconds that a device may be away before it is published. */
export interface Will {
  readonly publication: Publication;
  readonly delaySeconds: number;
}

/** What waits for a device that is away. */
interface Absence {
  will: Will | undefined;
  /** When the will is published, and when the session ends, by `performance.now()`. */
  readonly willDue: number;
  readonly endDue: number;
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
  /** Nobody's time runs out. */
  private frozen = false;

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
    const waits = will !== undefined && will.delaySeconds > 0;
    if (will && !waits) this.publish(will.publication, session);
    const delay = waits ? Math.min(will.delaySeconds, seconds) : 0;
    this.goesAway(session, waits ? will : undefined, delay * 1000, seconds * 1000);
  }

  /** Another process had the connection of this session, too. Undefined when there is no such session. */
  adopt(clientId: string, client: Client): Session | undefined {
    const session = this.sessions.get(clientId);
    if (!session) return undefined;
    this.comeBack(session);
    session.client = client;
    session.station = client.station;
    return session;
  }

  /** Lets nobody's time run out until {@link thaw}. */
  freeze(): void {
    this.frozen = true;
    for (const absence of this.away.values()) stopWaiting(absence);
  }

  thaw(): void {
    if (!this.frozen) return;
    this.frozen = false;
    for (const [session, absence] of this.away) this.wait(session, absence);
  }

  /** All of it, for another process. A session that is connected is saved as if its device left now. */
  save(): SavedBroker {
    const now = performance.now();
    const connected = [...this.sessions.values()].filter((session) => !this.away.has(session));
    return {
      retained: [...this.retained.all()].map((publication) => savedPublication(publication, now)),
      sessions: [...this.away.keys(), ...connected].map((session) => ({
        session: session.save(now),
        absence: this.absenceOf(session, now),
      })),
      counters: { ...this.counters },
    };
  }

  /** Goes on, frozen, from what another process has saved; then connections come back by {@link adopt}. */
  restore({ retained, sessions, counters }: SavedBroker): void {
    const now = performance.now();
    this.frozen = true;
    Object.assign(this.counters, counters);
    for (const publication of retained) this.retained.keep(publicationFrom(publication, now));
    for (const { session: saved, absence } of sessions) {
      const server = this.engine.servers.find(({ config }) => config.name === saved.server);
      if (!server) continue;
      const { packets, limits } = this;
      const session = new Session(saved.clientId, server.station, packets, limits, this.counters);
      session.restore(saved, now);
      this.sessions.set(saved.clientId, session);
      if (saved.channels.length > 0) this.engine.channels.subscribe(session, saved.channels);
      this.goesAway(session, willFrom(absence.will, now), absence.willLeft, absence.left);
    }
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

  /** Times in milliseconds from now. */
  private goesAway(session: Session, will: Will | undefined, willLeft: number, left: number): void {
    const now = performance.now();
    const absence: Absence = {
      will,
      willDue: now + willLeft,
      endDue: now + left,
      willTimer: undefined,
      endTimer: undefined,
    };
    this.away.set(session, absence);
    if (!this.frozen) this.wait(session, absence);
  }

  private wait(session: Session, absence: Absence): void {
    const { will, willDue, endDue } = absence;
    if (will) {
      absence.willTimer = timer(() => {
        absence.will = undefined;
        this.publish(will.publication, session);
      }, willDue);
    }
    absence.endTimer = timer(() => this.end(session), endDue);
  }

  private comeBack(session: Session): void {
    const absence = this.away.get(session);
    if (absence) stopWaiting(absence);
    this.away.delete(session);
  }

  private absenceOf(session: Session, now: number): SavedAbsence {
    const absence = this.away.get(session);
    if (absence) {
      const { will, willDue, endDue } = absence;
      return { will: savedWill(will, now), willLeft: willDue - now, left: endDue - now };
    }
    const peer = session.client && peerOf(session.client);
    const will = peer?.will;
    const left = (peer?.sessionSeconds ?? 0) * 1000;
    return { will: savedWill(will, now), willLeft: Math.min((will?.delaySeconds ?? 0) * 1000, left), left };
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

/**
 * The broker of an engine, made by the first that needs it, of what another process has saved if that is given. Throws
 * `invalid_argument` without `engine.mqtt`.
 */
export function brokerOf(engine: Engine, saved?: SavedBroker): Broker {
  const { mqtt } = engine.options;
  if (!mqtt) throw new MoonwireError('invalid_argument', 'MQTT needs the settings engine.mqtt');
  if (!engine.mqtt) {
    engine.mqtt = new Broker(engine, mqtt);
    if (saved) engine.mqtt.restore(saved);
  }
  return engine.mqtt;
}

/** `due`: by `performance.now()`. */
function timer(run: () => void, due: number): NodeJS.Timeout {
  const wait = Math.max(0, due - performance.now());
  return setTimeout(run, Math.min(wait, MAX_TIMER_SECONDS * 1000)).unref();
}

function stopWaiting({ willTimer, endTimer }: Absence): void {
  clearTimeout(willTimer);
  clearTimeout(endTimer);
}
