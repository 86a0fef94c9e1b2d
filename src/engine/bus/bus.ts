/**
 * The arbiter of a line on which one may speak at a time: one queue, one transaction at a time, and every time limit.
 * It relies on no callback of the hardware: a port that vanished may never call back.
 */

import type { DiscardReason } from '../../bytes/framer.js';
import { Failure } from '../../errors.js';
import type { LuaValue } from '../../script/executor.js';
import type { Pushable } from '../../script/values.js';
import type { MessageType } from '../../transports/connection.js';
import type { Program } from '../program.js';
import { BusCounters } from './counters.js';
import { Load } from './load.js';
import type { Port } from './port.js';
import { RequestQueue } from './queue.js';
import type { BusRequest, RequestOptions } from './request.js';
import type { BusSettings } from './timing.js';
import { Unit } from './unit.js';
import { Units } from './units.js';

/** What `report` tells. */
export type BusReport = ReturnType<Bus['report']>;

/** Most seconds for the rest of a reply, beside what it takes on the wire: on a serial line, over a network. */
const REPLY_PAUSES = 1;
const NETWORK_REPLY = 5;
/** Largest reply on a line that states no other. */
const MAX_REPLY_BYTES = 65_536;
/** Bytes of a reply that a converter is given time to collect: the longest of Modbus. */
const COLLECTED_BYTES = 256;
/** Milliseconds behind the last possible end of a transaction. */
const STUCK_MS = 10_000;
/** Milliseconds after which a timer that fires is late: then what came meanwhile is read first, for as long. */
const STALL_MS = 20;
const MAX_STALL_MS = 200;

/** A request that was sent. Times in milliseconds of `performance.now()`. */
interface Transaction {
  readonly request: BusRequest;
  readonly began: number;
  /** When it is given up; later while bytes come, up to `latest`. */
  deadline: number;
  readonly latest: number;
  /** It was given more time because this process stalled. */
  excused: boolean;
  /** A reply came that failed its check or did not decode. */
  spoiled: { readonly kind: 'checksum' | 'decode'; readonly message: string } | undefined;
}

export class Bus {
  readonly counters = new BusCounters();
  readonly ports = new Set<Port>();
  private readonly units: Units;
  private readonly queue = new RequestQueue();
  /** Whom messages are for that are not asked of a unit. */
  private readonly nobody: Unit;
  private readonly load = new Load(performance.now());
  /** Received bytes that belonged to no frame, by reason. */
  private readonly discards: Record<string, number> = {};
  private current: Transaction | undefined;
  /** Until when the line must be silent. */
  private silentUntil = 0;
  private lastGood: number | undefined;
  private timer: NodeJS.Timeout | undefined;
  private kicked = false;
  /** The line is lent: nothing is sent. */
  private held = false;
  /** Told when the transaction under way is over. */
  private idle: (() => void) | undefined;

  constructor(
    readonly name: string,
    readonly settings: BusSettings,
  ) {
    this.units = new Units(settings.breaker, this.load);
    this.nobody = new Unit('', settings.breaker);
  }

  /**
   * Queues a request. Resolves to the reply, to true for a broadcast, or to a {@link Failure}: `timeout`,
   * `decode_error`, `closed`, `queue_full`, `overloaded` (the breaker of the unit is open), `too_large` (units).
   */
  request(
    port: Port,
    data: LuaValue,
    options: RequestOptions,
    program: Program,
  ): Promise<Pushable | Failure> {
    const now = performance.now();
    const { settings, queue } = this;
    const full = this.full();
    if (full) return Promise.resolve(full);
    const unit = this.units.get(options.unit);
    if (unit instanceof Failure) return Promise.resolve(unit);
    const refused = options.broadcast ? undefined : this.refusal(unit, now);
    if (refused) return Promise.resolve(refused);
    const probe = unit.breaker.state === 'open' && !options.broadcast;
    if (probe) unit.breaker.probe();
    return new Promise((done) => {
      queue.add({
        data,
        encode: () => port.encode(data, program),
        port,
        program,
        unit,
        priority: options.priority,
        timeout: options.timeout ?? settings.timeout,
        quiet: options.broadcast ? settings.turnaround : undefined,
        tries: probe ? 1 : 1 + (options.retries ?? settings.retries),
        until: now + settings.queueSeconds * 1000,
        done,
      });
      this.kick();
    });
  }

  /**
   * Writes what nobody waits for an answer to, in its turn as a command. A {@link Failure} `queue_full`; else a promise
   * for what became of it: undefined once it was written, or `closed`, `timeout` (no turn), what `encode` says.
   * What comes back is handed to `on_message`; on a line with a gap, it has the turnaround time to come.
   */
  write(
    port: Port,
    encode: () => Uint8Array | Failure,
    type?: MessageType,
  ): Failure | Promise<Failure | undefined> {
    const full = this.full();
    if (full) return full;
    const { settings } = this;
    return new Promise((resolve) => {
      this.queue.add({
        data: undefined,
        encode,
        type,
        brief: true,
        port,
        program: port.program,
        unit: this.nobody,
        priority: 'command',
        timeout: 0,
        quiet: settings.gap > 0 ? settings.turnaround : 0,
        tries: 1,
        until: performance.now() + settings.queueSeconds * 1000,
        done: (result) => resolve(result instanceof Failure ? result : undefined),
      });
      this.kick();
    });
  }

  private full(): Failure | undefined {
    const { length } = this.queue;
    return length < this.settings.queue
      ? undefined
      : new Failure(`queue_full: ${length} requests wait on bus ${this.name} already`);
  }

  /** Looks for what to do next, once the running script has returned. */
  kick(): void {
    if (this.kicked) return;
    this.kicked = true;
    queueMicrotask(() => {
      this.kicked = false;
      this.next();
    });
  }

  /** Sends nothing more; requests wait. Resolves when the transaction under way is over. */
  hold(): Promise<void> {
    this.held = true;
    return new Promise((resolve) => {
      if (this.current) this.idle = resolve;
      else resolve();
    });
  }

  /** Goes on. */
  release(): void {
    this.held = false;
    this.kick();
  }

  /** Whether nothing is under way and nothing waits. */
  get quiet(): boolean {
    return this.current === undefined && this.queue.length === 0;
  }

  /** Whether a transaction should have ended long ago: the arbiter does not work any more. */
  get stuck(): boolean {
    return this.current !== undefined && performance.now() > this.current.latest + STUCK_MS;
  }

  /** The request whose reply this port waits for. */
  pending(port: Port): BusRequest | undefined {
    return this.current?.request.port === port ? this.current.request : undefined;
  }

  /** Bytes came: a reply that has begun may end. */
  heard(port: Port, now: number): void {
    this.silentUntil = Math.max(this.silentUntil, now + this.settings.gap * 1000);
    const { current } = this;
    if (current?.request.port !== port) return;
    current.deadline = Math.min(current.latest, Math.max(current.deadline, now + port.silence * 1000));
  }

  /** The reply is there. */
  replied(message: Pushable): void {
    const { current } = this;
    if (!current) return;
    const { request } = current;
    const now = this.end(current);
    this.lastGood = Date.now() / 1000;
    request.unit.lastGood = this.lastGood;
    request.unit.breaker.succeeded();
    const exception = request.program.protocol.exceptionOf(message);
    this.count(request.unit, (counters) => {
      counters.replies++;
      counters.times.add((now - current.began) / 1000);
      if (exception !== undefined) counters.exceptions[exception] = (counters.exceptions[exception] ?? 0) + 1;
    });
    request.done(message);
  }

  /** Something came that does not decode. */
  spoiled(port: Port, message: string): void {
    const { current } = this;
    if (current?.request.port === port) current.spoiled ??= { kind: 'decode', message };
  }

  /** The framer dropped bytes. */
  discarded(port: Port, length: number, reason: DiscardReason): void {
    this.discards[reason] = (this.discards[reason] ?? 0) + length;
    const { current } = this;
    if (reason === 'checksum' && current?.request.port === port) {
      current.spoiled ??= { kind: 'checksum', message: 'its check is wrong' };
    }
  }

  /** A port lost its connection: what is under way fails, what waits is kept for the next one. */
  lost(port: Port): void {
    this.refuse((waiting) => waiting.port === port && waiting.brief === true, 'the connection ended');
    const { current } = this;
    if (current?.request.port !== port) return;
    this.end(current);
    this.count(current.request.unit, (counters) => counters.interrupted++);
    current.request.unit.breaker.abandonProbe();
    current.request.done(new Failure('closed: the connection ended before the reply came'));
  }

  /** Takes a port off for good: its requests fail. */
  remove(port: Port): void {
    this.lost(port);
    this.ports.delete(port);
    this.refuse((waiting) => waiting.port === port, 'the link ends');
    if (this.ports.size === 0) clearTimeout(this.timer);
  }

  /** Fails requests that wait. */
  private refuse(which: (request: BusRequest) => boolean, why: string): void {
    for (const request of this.queue.remove(which)) {
      this.count(request.unit, (counters) => counters.interrupted++);
      request.unit.breaker.abandonProbe();
      request.done(new Failure(`closed: ${why}`));
    }
  }

  /** Counts for a unit and for the bus. */
  count(unit: Unit, what: (counters: BusCounters) => void): void {
    what(this.counters);
    what(unit.counters);
  }

  /** Plain values for the API and metrics; times in seconds. */
  report() {
    const now = performance.now();
    const ports = [...this.ports];
    return {
      name: this.name,
      links: ports.map(({ station }) => station.settings.name),
      connected: ports.some(({ ready }) => ready),
      lent: this.held,
      load_percent: Math.round(this.load.share(now) * 1000) / 10,
      waiting: this.queue.counts(),
      ...(this.lastGood !== undefined && { last_good: this.lastGood }),
      ...this.counters.report(),
      echo_bytes: ports.reduce((sum, { echoBytes }) => sum + echoBytes, 0),
      discarded: { ...this.discards },
      units: this.units.report(now),
    };
  }

  /** Why a request to a unit cannot be taken; counted. */
  private refusal(unit: Unit, now: number): Failure | undefined {
    const refused = this.units.refusal(unit, now);
    if (refused) this.count(unit, (counters) => counters.refused++);
    return refused;
  }

  private next(): void {
    if (this.current) return;
    const now = performance.now();
    this.expire(now);
    if (!this.held && now < this.silentUntil) {
      if (this.queue.length > 0) this.wake(this.silentUntil - now);
      return;
    }
    const request = this.held ? undefined : this.queue.take(({ port }) => port.ready);
    if (request) this.begin(request, now);
    else if (this.queue.length > 0) this.wake(this.queue.earliest - now);
  }

  private wake(ms: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.tick(), Math.max(0, ms));
  }

  private tick(): void {
    const { current } = this;
    if (!current) {
      this.next();
      return;
    }
    const now = performance.now();
    if (now < current.deadline) {
      this.wake(current.deadline - now);
      return;
    }
    const stalled = now - current.deadline;
    if (stalled > STALL_MS && !current.excused) {
      // This process did not run, so the reply may be there unread.
      current.excused = true;
      current.deadline = now + Math.min(stalled, MAX_STALL_MS);
      this.wake(current.deadline - now);
      return;
    }
    // What is held may hide a reply behind noise.
    current.request.port.flush();
    if (this.current === current) this.giveUp(current);
  }

  private expire(now: number): void {
    if (this.queue.length === 0 || this.queue.earliest > now) return;
    for (const request of this.queue.remove(({ until }) => until <= now)) {
      this.count(request.unit, (counters) => counters.expired++);
      request.unit.breaker.abandonProbe();
      const why = this.held ? 'it is lent' : request.port.ready ? 'it is busy' : 'it is not connected';
      request.done(
        new Failure(`timeout: had no turn on the line within ${this.settings.queueSeconds} s: ${why}`),
      );
    }
  }

  private begin(request: BusRequest, now: number): void {
    const { settings } = this;
    const sent = request.port.send(request);
    if (sent instanceof Failure) {
      request.unit.breaker.abandonProbe();
      request.done(sent);
      this.kick();
      return;
    }
    request.tries--;
    const wire = sent * settings.character;
    this.count(request.unit, (counters) => {
      counters.requests++;
      if (request.quiet !== undefined) counters.broadcasts++;
    });
    if (request.quiet !== undefined) {
      this.silentUntil = now + (wire + Math.max(request.quiet, settings.gap)) * 1000;
      this.load.add(now, this.silentUntil);
      request.done(true);
      this.kick();
      return;
    }
    const { program } = request;
    const { limits } = request.port.station;
    const longest = Math.min(program.protocol.frameMax ?? limits.frameBytes, MAX_REPLY_BYTES);
    const paced = settings.character > 0 && !settings.collects;
    const rest = paced ? REPLY_PAUSES + longest * settings.character : NETWORK_REPLY;
    const collected = settings.collects ? Math.min(longest, COLLECTED_BYTES) * settings.character : 0;
    const deadline = now + (wire + request.timeout + collected) * 1000;
    this.current = {
      request,
      began: now,
      deadline,
      latest: deadline + rest * 1000,
      excused: false,
      spoiled: undefined,
    };
    this.wake(deadline - now);
  }

  /** A transaction is over. Returns the time. */
  private end(transaction: Transaction): number {
    const now = performance.now();
    this.current = undefined;
    this.idle?.();
    this.idle = undefined;
    clearTimeout(this.timer);
    this.load.add(transaction.began, now);
    this.silentUntil = Math.max(this.silentUntil, now + this.settings.gap * 1000);
    this.kick();
    return now;
  }

  private giveUp(transaction: Transaction): void {
    const { request, spoiled, began } = transaction;
    const now = this.end(transaction);
    const { unit, port } = request;
    this.count(unit, (counters) => {
      if (!spoiled) counters.timeouts++;
      else if (spoiled.kind === 'checksum') counters.checksumErrors++;
      else counters.decodeErrors++;
    });
    const why = spoiled ? `bad replies: ${spoiled.message}` : 'no reply';
    this.units.failed(unit, why, began, now);
    port.miss(request, now);
    if (request.tries > 0 && unit.breaker.state === 'closed') {
      this.queue.add(request, true);
      return;
    }
    request.done(
      new Failure(
        spoiled
          ? `decode_error: unit ${unit.name}: ${spoiled.message}`
          : `timeout: unit ${unit.name} did not answer within ${request.timeout} s`,
      ),
    );
    if (unit.breaker.state === 'open') this.refuseWaiting(unit, now);
  }

  /** What still waits for a unit that does not answer costs the others nothing. */
  private refuseWaiting(unit: Unit, now: number): void {
    for (const waiting of this.queue.remove((other) => other.unit === unit && other.quiet === undefined)) {
      waiting.done(this.refusal(unit, now) ?? new Failure(`timeout: unit ${unit.name} did not answer`));
    }
  }
}
