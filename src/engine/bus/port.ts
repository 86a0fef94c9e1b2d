/**
 * Where one link (or one client of a server) is joined to its bus: takes the echo away, cuts and decodes what comes,
 * and tells the reply that is waited for from late ones, repeated ones, and what others say.
 */

import type { DiscardReason, Framer } from '../../bytes/framer.js';
import { Failure } from '../../errors.js';
import type { LuaValue } from '../../script/executor.js';
import { bytesOf } from '../../script/fengari.js';
import type { Pushable } from '../../script/values.js';
import type { Client } from '../client.js';
import { framingFailed } from '../client-input.js';
import type { Program } from '../program.js';
import type { Decoded, Protocol, ProtocolPeer } from '../protocol.js';
import type { Station } from '../station.js';
import type { Bus } from './bus.js';
import { Echo } from './echo.js';
import type { BusRequest } from './request.js';

/** Requests without a reply that are remembered, and the least seconds for which a reply to them is called late. */
const MISSED = 8;
const MISSED_SECONDS = 5;
/** Most seconds that a protocol's own time for incomplete frames is waited within a reply. */
const MAX_SILENCE = 2;

interface Past {
  readonly request: BusRequest;
  /** Until when replies to it are recognised, in milliseconds. */
  readonly until: number;
}

export class Port {
  /** The open connection. */
  client: Client | undefined;
  private echo: Echo;
  /** Bytes that came back to us on the connections before this one. */
  private echoedBefore = 0;
  private framer: Framer | undefined;
  /** Whose framer it is. */
  private framing: Program | undefined;
  private lastByte = 0;
  private silenceTimer: NodeJS.Timeout | undefined;
  private missed: Past[] = [];
  private answered: Past | undefined;

  constructor(
    readonly bus: Bus,
    readonly station: Station,
    /** Whether another connection follows when one ends, for which requests wait. */
    private readonly reopens: boolean,
  ) {
    this.echo = new Echo(bus.settings.echo);
  }

  /** A connection is there; another adapter may have been plugged in. */
  opened(client: Client): void {
    this.client = client;
    this.echoedBefore += this.echo.bytes;
    this.echo = new Echo(this.bus.settings.echo);
    this.framer = undefined;
    this.framing = undefined;
    this.missed = [];
    this.answered = undefined;
    this.bus.kick();
  }

  /** The connection is over. */
  closed(client: Client): void {
    if (client !== this.client) return;
    this.flush();
    this.client = undefined;
    this.framer = undefined;
    this.framing = undefined;
    if (this.reopens) this.bus.lost(this);
    else this.bus.remove(this);
  }

  /** What the frames of the open connection mean. */
  private get protocol(): Protocol {
    return this.protocolOf(this.program);
  }

  private protocolOf(program: Program): Protocol {
    return this.client ? program.protocolFor(this.client.connection) : program.protocol;
  }

  /** Whether a request can be sent now. */
  get ready(): boolean {
    return this.client !== undefined && !this.client.closed;
  }

  /** Bytes of our own that came back. */
  get echoBytes(): number {
    return this.echoedBefore + this.echo.bytes;
  }

  /** The code that what comes is for: that of the request which waits for its reply, else that which serves the client. */
  get program(): Program {
    return this.bus.pending(this)?.program ?? this.client?.program ?? this.station.program;
  }

  /** The client went over to other code; requests that wait stay with the code that made them. */
  renewed(): void {
    if (this.framer && this.client) this.reframe(this.client, true);
  }

  /** Seconds of silence that end an incomplete frame. */
  get silence(): number {
    const { protocol } = this;
    if (protocol.endsWithSilence && protocol.partial !== undefined) return protocol.partial;
    return Math.max(this.bus.settings.silence, Math.min(protocol.partial ?? 0, MAX_SILENCE));
  }

  /** Encodes and sends a request. Returns the number of bytes, or why it did not leave. */
  send({ encode, type }: BusRequest): number | Failure {
    this.discardHeld();
    const bytes = encode();
    if (bytes instanceof Failure) return bytes;
    this.echo.sent(bytes);
    return this.client!.transmit(bytes, type) ?? bytes.length;
  }

  /** The bytes of a request to the open connection: a string is these; a table is encoded by the protocol. */
  encode(data: LuaValue, program: Program): Uint8Array | Failure {
    if (typeof data === 'string') return bytesOf(data);
    const client = this.client!;
    try {
      const bytes = this.protocolOf(program).encode(data, program.peerOf(client));
      return bytes instanceof Failure ? new Failure(`invalid_argument: ${bytes.message}`) : bytes;
    } catch (error) {
      this.station.scriptFailed('encode', client, error as Error);
      return new Failure(`internal: ${(error as Error).message}`);
    }
  }

  /** A message as scripts get it. */
  scriptMessage(message: Pushable, program: Program): Pushable | Failure {
    try {
      return this.protocolOf(program).toScript(message);
    } catch (error) {
      this.station.scriptFailed('decode', this.client, error as Error);
      return new Failure(`internal: ${(error as Error).message}`);
    }
  }

  /** Bytes came from the line. */
  receive(bytes: Uint8Array): void {
    this.lastByte = performance.now();
    this.bus.heard(this, this.lastByte);
    const rest = this.echo.receive(bytes);
    if (rest.length > 0) this.take(rest);
    if (this.framer && this.framer.pending > 0 && !this.silenceTimer) this.watchSilence(this.silence * 1000);
  }

  /** Nothing more comes: looks for frames in all that is held. */
  flush(): void {
    const held = this.echo.release();
    if (held) this.take(held);
    while (this.framer && this.framer.pending > 0) {
      const { pending } = this.framer;
      this.framer.expire();
      this.drain();
      if (this.framer && this.framer.pending >= pending) return;
    }
  }

  /** A request was not answered; its reply may still come. */
  miss(request: BusRequest, now: number): void {
    this.missed.push({ request, until: now + Math.max(MISSED_SECONDS, 2 * request.timeout) * 1000 });
    if (this.missed.length > MISSED) this.missed.shift();
  }

  /** Drops bytes that are in no frame yet; returns how many. */
  clear(): number {
    clearTimeout(this.silenceTimer);
    this.silenceTimer = undefined;
    return this.framer?.clear() ?? 0;
  }

  /** Bytes were dropped by the framer. */
  discarded(length: number, reason: DiscardReason): void {
    this.bus.discarded(this, length, reason);
  }

  private discardHeld(): void {
    this.echo.release();
    const held = this.clear();
    if (held > 0) this.station.counters.discard('stale', held);
  }

  private watchSilence(ms: number): void {
    this.silenceTimer = setTimeout(() => {
      this.silenceTimer = undefined;
      const { framer } = this;
      if (!framer || framer.pending === 0) return;
      const left = this.lastByte + this.silence * 1000 - performance.now();
      if (left <= 0) {
        framer.expire();
        this.drain();
      }
      if (this.framer && this.framer.pending > 0)
        this.watchSilence(Math.max(1, left > 0 ? left : this.silence * 1000));
    }, ms);
  }

  private take(bytes: Uint8Array): void {
    const client = this.client;
    if (!client) return;
    this.reframe(client);
    if (!this.framer) {
      this.frame(bytes, client);
      return;
    }
    this.framer.push(bytes);
    this.drain();
  }

  /** Lets the framing be done by the code that what comes is for; `anew`: though it is the same code. */
  private reframe(client: Client, anew = false): void {
    const { station, program, framer, framing } = this;
    if (framing === program && !anew) return;
    this.framing = program;
    if (framer && framing && this.protocol.framesAs(this.protocolOf(framing))) return;
    this.framer = station.framed(client.connection, program)
      ? station.createFramer(client, program)
      : undefined;
    const held = framer?.release();
    if (!held || held.length === 0) return;
    if (this.framer) this.framer.push(held);
    else this.frame(held, client);
  }

  private drain(): void {
    const { client, framer } = this;
    if (!client || !framer) return;
    try {
      for (let frame = framer.next(); frame; frame = framer.next()) this.frame(frame, client);
    } catch (error) {
      framingFailed(client, error as Error);
    }
  }

  private frame(frame: Uint8Array, client: Client): void {
    const { station } = this;
    station.counters.frames++;
    station.frames.add(client.id, false, frame, this.lastByte);
    const decoded = this.decode(frame, this.program.peerOf(client), client);
    if (decoded instanceof Failure) this.undecodable(frame, client, decoded);
    else for (const message of decoded?.messages ?? []) this.message(message, client);
  }

  private decode(frame: Uint8Array, peer: ProtocolPeer, client: Client): Decoded | Failure | undefined {
    try {
      return this.protocol.decode(frame, peer);
    } catch (error) {
      this.station.scriptFailed('decode', client, error as Error);
      return undefined;
    }
  }

  /** What does not decode as an answer to the request may be one to another request. */
  private undecodable(frame: Uint8Array, client: Client, { message }: Failure): void {
    const request = this.bus.pending(this);
    const stranger = { session: undefined, conn: () => this.program.peerOf(client).conn() };
    const overheard = request && this.decode(frame, stranger, client);
    if (overheard && !(overheard instanceof Failure)) {
      for (const other of overheard.messages) this.stray(other, request);
      return;
    }
    this.station.decodeFailed(client, frame, message);
    this.bus.spoiled(this, message);
  }

  private message(message: Pushable, client: Client): void {
    const request = this.bus.pending(this);
    if (request && this.matches(request, message) === true) {
      this.answered = { request, until: this.lastByte + Math.max(1, request.timeout) * 1000 };
      this.bus.replied(message);
      return;
    }
    if (!this.stray(message, request)) client.deliverLater({ messages: [message], decoded: message });
  }

  /** Counts a message that is not the reply. False for one that nobody asked for. */
  private stray(message: Pushable, pending: BusRequest | undefined): boolean {
    const now = performance.now();
    const past = this.missed.findIndex(
      ({ request, until }) => until > now && this.matches(request, message) === true,
    );
    const { answered } = this;
    if (past >= 0) {
      const [{ request }] = this.missed.splice(past, 1) as [Past];
      this.bus.count(request.unit, (counters) => counters.late++);
    } else if (answered && answered.until > now && this.repeats(answered.request, message)) {
      this.bus.count(answered.request.unit, (counters) => counters.duplicates++);
    } else if (pending) {
      const reason = this.matches(pending, message);
      this.bus.count(pending.unit, (counters) => {
        if (reason === 'wrong_unit') counters.wrongUnit++;
        else if (reason === 'wrong_function') counters.wrongFunction++;
        else counters.unexpected++;
      });
    } else {
      return false;
    }
    return true;
  }

  private repeats(request: BusRequest, message: Pushable): boolean {
    return this.protocolOf(request.program).canMatch && this.matches(request, message) === true;
  }

  /** Whether a message answers a request; else why not, when the protocol says so. */
  private matches({ data, program }: BusRequest, message: Pushable): boolean | string {
    // What other code decoded is a value of another VM.
    if (program !== this.program) return false;
    try {
      return this.protocolOf(program).matches(data, message);
    } catch (error) {
      this.station.scriptFailed('matches', this.client, error as Error);
      return false;
    }
  }
}
