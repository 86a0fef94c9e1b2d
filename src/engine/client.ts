/**
 * One peer of a server or link: its connection, its place in the protocol, and the queue that runs its handlers
 * one after the other. Clients do not hold up each other.
 *
 * There may be 10,000 idle ones, so a client is one object without closures, timers, tables or buffers until it
 * needs them; it is itself the owner of its connection.
 */

import type { Framer, FramerState } from '../bytes/framer.js';
import { MoonwireError, messageOf } from '../errors.js';
import { Failure, type HostObject } from '../script/api.js';
import type { LuaValue } from '../script/executor.js';
import { ScriptError } from '../script/script-error.js';
import type { Connection, ConnectionHandler, MessageType } from '../transports/connection.js';
import type { Handle } from '../transports/handles.js';
import type { Passage } from '../transports/movable.js';
import type { Port } from './bus/port.js';
import { carrierOf } from './carrier.js';
import type { Subscriber } from './channels.js';
import { ClientContext } from './client-context.js';
import { countLimit } from './client-limits.js';
import { ClientOutput } from './client-output.js';
import type { Conn } from './conn.js';
import type { ClientView } from './embedded/client.js';
import { callHandler, handleDecoded, handleFrame } from './handling.js';
import type { SavedClient, SavedInput } from './handover/saved.js';
import { handshakeTables } from './handshake.js';
import { DisconnectRequest } from './input-framer.js';
import { MessageRate } from './message-rate.js';
import type { NativeProtocol } from './native.js';
import type { Program } from './program.js';
import type { Decoded, Protocol, ProtocolPeer } from './protocol.js';
import { type Received, Spontaneous, TextMessage } from './received.js';
import type { Station } from './station.js';
import { hexOf, type TraceEvent, type TraceListener } from './trace.js';

/** Chunks or datagrams that may wait while a handler does; then the peer is slowed down. */
const MAX_WAITING = 16;
/**
 * Frames of one client handled before others have their turn, and before what was sent begins to leave: thousands may
 * have come at once, and the answers to all would not fit the send buffer.
 */
const STEPS_A_TURN = 64;
/** Messages of a bus that may wait: it is not slowed down, so that replies come through; more are dropped. */
const MAX_SPONTANEOUS = 256;

/** A step of a client's life that is done after the one before it. */
type Step = 'connect' | 'close' | Received;

export class Client implements ConnectionHandler, ProtocolPeer, Subscriber {
  /** The code that serves it; newer code takes over between two messages. */
  program: Program;
  /** Commands for its devices that this code does right now. */
  commands = 0;
  /** `session` of the protocol module, a Lua table. */
  session: LuaValue;
  /** Ids of devices behind this client, the first one first. */
  devices: string[] | undefined;
  /** Channels it is subscribed to; {@link Channels} alone changes it. */
  channels: Set<string> | undefined;
  /** Who watches it. */
  tracers: Set<TraceListener> | undefined;
  /** Where it is joined to a bus, once something was requested from it. */
  port: Port | undefined;
  /** What a native protocol keeps for it. */
  peer: object | undefined;
  /** It as the program sees it that the engine is part of, once that has looked. */
  view: ClientView | undefined;
  /** What went in and out. */
  bytesIn = 0;
  bytesOut = 0;
  messages = 0;
  openedAt = performance.now();
  /** When the peer last showed that it is there. */
  lastSeen = performance.now();
  /** What waits to be sent to it, once something was. */
  output: ClientOutput | undefined;
  private rate: MessageRate | undefined;
  private hostObject: HostObject<Conn> | undefined;
  private framer: Framer | undefined;
  private waiting: Received[] | undefined;
  private ownContext: ClientContext | undefined;
  private partialTimer: NodeJS.Timeout | undefined;
  private partialPosition = 0;
  /** How far its life is: `on_connect` was begun, the connection is over, `on_close` was begun. */
  private greeted = false;
  private ended = false;
  private finished = false;
  private running = false;
  private paused = false;
  /** We closed it: what was received and not handled yet is dropped. What a peer sent before it left is not. */
  private abandoned = false;
  private cause: Error | undefined;

  /** `id`: see `ids`; unique for ever. */
  constructor(
    readonly id: number,
    readonly station: Station,
    readonly connection: Connection,
  ) {
    this.program = station.program;
  }

  /** Runs `on_connect`. The caller has attached this client to its connection. */
  start(): void {
    this.pump();
  }

  /** What its frames and messages mean. */
  get protocol(): Protocol {
    return this.program.protocolFor(this.connection);
  }

  /** What speaks with it, where that is not the script. */
  get native(): NativeProtocol | undefined {
    return this.station.nativeOf(this.connection);
  }

  /** True once the connection is over or being closed. */
  get closed(): boolean {
    return this.connection.closed;
  }

  /** It is subscribed to channels itself. */
  get client(): this {
    return this;
  }

  /** Bytes that were sent and have not left yet. */
  get pendingBytes(): number {
    return this.output?.pendingBytes ?? this.connection.pendingBytes;
  }

  /** Whether it is not read from, or not heard: what it sends has to wait. */
  get slowed(): boolean {
    return this.paused || this.rate?.waits === true;
  }

  /** This client as its scripts see it. */
  conn(): HostObject<Conn> {
    this.hostObject ??= this.program.connOf(this);
    return this.hostObject;
  }

  /** What `conn:set_context` keeps. */
  get context(): ClientContext {
    this.ownContext ??= new ClientContext();
    return this.ownContext;
  }

  // -- Connection -----------------------------------------------------------------------------------------------

  data(bytes: Uint8Array, type?: MessageType): void {
    this.lastSeen = performance.now();
    this.bytesIn += bytes.length;
    this.station.counters.bytesIn += bytes.length;
    if (this.tracers) this.trace({ event: 'in', hex: hexOf(bytes) });
    if (this.port) {
      this.port.receive(bytes);
      return;
    }
    if (type === 'text' && this.native?.refuseText) {
      this.native.refuseText(this);
      return;
    }
    if (this.station.framed(this.connection, this.program)) {
      this.framer ??= this.station.createFramer(this, this.program);
      this.framer.push(bytes);
      if (this.station.framing(this.program).endsWithSilence) {
        clearTimeout(this.partialTimer);
        this.partialTimer = undefined;
      }
    } else {
      this.waiting ??= [];
      this.waiting.push(type === 'text' ? new TextMessage(bytes) : bytes);
    }
    this.pump();
  }

  /** From now on requests are sent through this port, which also cuts and decodes what comes. */
  engage(port: Port): void {
    this.clearBuffer();
    this.framer = undefined;
    clearTimeout(this.partialTimer);
    this.partialTimer = undefined;
    this.port = port;
    port.opened(this);
  }

  /** Hands a message of the bus that answers no request to `on_message`, in its turn. */
  deliverLater(decoded: Decoded): void {
    this.waiting ??= [];
    if (this.waiting.length >= MAX_SPONTANEOUS) {
      this.station.counters.discard('overflow', 1);
      return;
    }
    this.waiting.push(new Spontaneous(decoded, this.program));
    this.pump();
  }

  alive(): void {
    this.lastSeen = performance.now();
  }

  drain(): void {
    this.output?.drained();
  }

  close(error?: Error): void {
    this.ended = true;
    if (!this.abandoned && error instanceof MoonwireError) countLimit(this, error);
    this.cause ??= error;
    this.output?.close();
    this.rate?.close();
    this.port?.closed(this);
    clearTimeout(this.partialTimer);
    this.ownContext?.close();
    if (this.tracers) this.trace({ event: 'close', ...(this.cause && { reason: messageOf(this.cause) }) });
    this.pump();
  }

  /** Closes the connection: what was sent leaves first. `code` and `reason`: what a WebSocket tells its peer. */
  end(code?: number, reason?: string): void {
    this.abandoned = true;
    this.output?.flush();
    this.connection.end(code, reason);
  }

  /** Closes the connection for `error`, once what was sent has left. */
  endFor(error: Error): void {
    this.cause ??= error;
    this.end();
  }

  /** Closes the connection at once, for `error`. */
  destroy(error: Error): void {
    this.abandoned = true;
    this.cause ??= error;
    this.connection.destroy(error);
  }

  /**
   * Sends bytes. Returns undefined, or a {@link Failure} when the client is closed (`closed`) or does not take
   * what it is sent (`queue_full`). `type`: how a WebSocket carries it. On a bus they leave in their turn.
   */
  send(bytes: Uint8Array, type?: MessageType): Failure | undefined {
    // What is too large for any turn is refused at once.
    const queued = this.port && bytes.length <= this.station.limits.sendBufferBytes;
    return queued ? this.sendInTurn(() => bytes, type) : this.transmit(bytes, type);
  }

  /** Sends on the bus, as a command that nobody answers; what fails when its turn comes is logged. */
  sendInTurn(encode: () => Uint8Array | Failure, type?: MessageType): Failure | undefined {
    const sent = this.write(encode, type);
    if (!(sent instanceof Promise)) return sent;
    sent.then((failure) => failure && this.station.sendFailed(this, failure));
    return undefined;
  }

  /** Encodes and sends: at once; on a bus in its turn, of which the promise tells. Fails as {@link send} does. */
  write(
    encode: () => Uint8Array | Failure,
    type?: MessageType,
  ): Failure | undefined | Promise<Failure | undefined> {
    if (this.closed) return new Failure('closed: the client is closed');
    if (this.port) return this.port.bus.write(this.port, encode, type);
    const bytes = encode();
    return bytes instanceof Failure ? bytes : this.transmit(bytes, type);
  }

  /** Sends at once, as only a bus may on its line; returns as {@link send} does. */
  transmit(bytes: Uint8Array, type?: MessageType): Failure | undefined {
    if (this.closed) return new Failure('closed: the client is closed');
    this.output ??= new ClientOutput(this);
    return this.output.send(bytes, type);
  }

  /** Tells those who watch. */
  trace(event: Omit<TraceEvent, 'time' | 'client'>): void {
    const whole = { time: Date.now() / 1000, client: String(this.id), ...event };
    for (const listener of this.tracers ?? []) listener(whole);
  }

  /** Watches this client until the returned function is called. */
  watch(listener: TraceListener): () => void {
    this.tracers ??= new Set();
    this.tracers.add(listener);
    return () => {
      this.tracers?.delete(listener);
      if (this.tracers?.size === 0) this.tracers = undefined;
    };
  }

  /** Drops received bytes that no handler has seen yet; returns how many. */
  clearBuffer(): number {
    const framed = this.port?.clear() ?? this.framer?.clear() ?? 0;
    const held = (this.waiting ?? []).reduce(
      (sum, chunk) => sum + chunk.length,
      framed + (this.rate?.clear() ?? 0),
    );
    this.waiting = undefined;
    this.station.counters.discard('cleared', held);
    return held;
  }

  // -- To another process -----------------------------------------------------------------------------------------

  /** Whether nothing of it is under way any more; from then on it is not read from. Called until it is so. */
  rest(): boolean {
    if (this.port && !this.port.bus.quiet) return false;
    this.connection.freeze?.();
    return !this.running && (!this.movable || this.passage() !== undefined);
  }

  /** Whether it could go at all. */
  private get movable(): boolean {
    const { native, connection } = this;
    return connection.passage !== undefined && connection.tls?.() === undefined && (!native || !!native.save);
  }

  /** What its connection is opened from, once all that was sent has left. */
  private passage(): Passage | undefined {
    return this.pendingBytes === 0 ? this.connection.passage?.() : undefined;
  }

  /** Goes on after {@link rest}. */
  thaw(): void {
    this.connection.thaw?.();
    this.pump();
  }

  /** Another process has it: nothing is done here any more. */
  letGo(): void {
    clearTimeout(this.partialTimer);
    this.rate?.close();
    this.connection.letGo?.();
  }

  /** Its connection is over. */
  get over(): boolean {
    return this.ended;
  }

  /** What another process goes on from; undefined when it cannot go: it does not rest, or holds what is no data. */
  save(): { saved: SavedClient; handle: Handle | undefined } | undefined {
    const { native, framer, waiting = [] } = this;
    const delayed = this.rate?.held;
    if (!this.movable || !this.rest() || this.ended || !this.greeted) return undefined;
    if ([delayed, ...waiting].some((received) => received instanceof Spontaneous)) return undefined;
    const passage = this.passage()!;
    const now = performance.now();
    try {
      const { id, bytesIn, bytesOut, messages, devices, channels = [] } = this;
      const saved: SavedClient = {
        id,
        connection: passage.state,
        openedAgo: now - this.openedAt,
        seenAgo: now - this.lastSeen,
        bytesIn,
        bytesOut,
        messages,
        session: this.protocol.saveSession(this),
        context: [...(this.ownContext?.values ?? [])],
        devices,
        attached: (devices ?? []).filter((device) => this.station.engine.devices.get(device) === this),
        channels: [...channels],
        framer: framer?.save(),
        delayed: delayed && savedInput(delayed),
        waiting: waiting.map(savedInput),
        peer: native?.save?.(this),
      };
      return { saved, handle: passage.handle };
    } catch (error) {
      this.station.log.warn(`cannot be handed over: ${messageOf(error)}`, { client: String(this.id) });
      return undefined;
    }
  }

  /** Goes on, at rest, from what another process has saved. */
  restore(saved: SavedClient): void {
    const now = performance.now();
    this.greeted = true;
    this.openedAt = now - saved.openedAgo;
    this.lastSeen = now - saved.seenAgo;
    this.bytesIn = saved.bytesIn;
    this.bytesOut = saved.bytesOut;
    this.messages = saved.messages;
    this.protocol.restoreSession(this, saved.session);
    for (const [key, value] of saved.context) this.context.set(key, value);
    this.devices = saved.devices && [...saved.devices];
    this.native?.restore?.(this, saved.peer);
    if (saved.channels.length > 0) this.station.engine.channels.subscribe(this, saved.channels);
    if (saved.delayed) {
      this.rate = new MessageRate(this, this.station.limits.messagesPerSecond || 1);
      this.rate.held = receivedFrom(saved.delayed);
    }
    this.restoreInput(saved.framer, saved.waiting.map(receivedFrom));
  }

  /** What was received goes on in the framing of this code, which may not be that of the other process. */
  private restoreInput(framer: FramerState | undefined, waiting: Received[]): void {
    const { station, program } = this;
    if (station.framed(this.connection, program)) {
      if (!framer && waiting.length === 0) return;
      this.framer = station.createFramer(this, program);
      if (framer) this.framer.restore(framer);
      for (const received of waiting) if (received instanceof Uint8Array) this.framer.push(received);
      return;
    }
    const held = framer && framer.bytes.length > 0 ? [framer.bytes] : [];
    if (held.length + waiting.length > 0) this.waiting = [...held, ...waiting];
  }

  // -- Handlers, one after the other ----------------------------------------------------------------------------

  /** Handles what was received, as far as nothing holds it up. */
  pump(): void {
    for (let steps = 1; !this.running && this.mayGoOn(); steps++) {
      const step = this.take();
      if (step === undefined) break;
      this.running = true;
      const waits = this.perform(step);
      if (waits) waits.then(() => this.proceed());
      else if (steps >= STEPS_A_TURN) setImmediate(nextTurn, this);
      else this.running = false;
    }
    this.regulate();
  }

  /** Whether the next step may begin; it is the newest code's. */
  private mayGoOn(): boolean {
    const { held } = this.station;
    held?.add(this);
    if (held === undefined) this.renewed();
    return held === undefined;
  }

  /** Goes over to the newest code, unless what it does right now is to end in its own. */
  renewed(): void {
    const { station, program: from } = this;
    const { program: to } = station;
    if (from === to || this.running || this.commands > 0) return;
    const lost: string[] = [];
    from.leave(this, this.session, this.hostObject);
    this.program = to;
    const object = carrierOf(to);
    this.hostObject = to.knows(this) ? to.connOf(this) : undefined;
    const before = from.protocolFor(this.connection);
    this.session = this.protocol.carrySession(this.session, before, object, lost);
    this.reframe(from);
    this.port?.renewed();
    if (lost.length > 0) station.leftBehind(this, lost);
  }

  /** Lets what was received and not cut yet go on in the framing of this client's program. */
  private reframe(from: Program): void {
    const { station, program, framer } = this;
    if (!framer) {
      if (!this.waiting || this.native || !station.framed(this.connection, program)) return;
      // Chunks that were messages as they came are a stream now.
      this.framer = station.createFramer(this, program);
      const { waiting } = this;
      this.waiting = undefined;
      for (const received of waiting) if (received instanceof Uint8Array) this.framer.push(received);
      return;
    }
    if (this.native || this.protocol.framesAs(from.protocolFor(this.connection))) return;
    clearTimeout(this.partialTimer);
    this.partialTimer = undefined;
    const held = framer.release();
    this.framer = station.framed(this.connection, program) ? station.createFramer(this, program) : undefined;
    if (held.length === 0) return;
    if (this.framer) this.framer.push(held);
    else this.waiting = [held];
  }

  /** The step that ran is over. */
  proceed(): void {
    this.running = false;
    this.pump();
  }

  /** What is to be done next. */
  private take(): Step | undefined {
    if (this.finished) return undefined;
    if (this.station.frozen && !this.ended && !(this.waiting?.[0] instanceof Spontaneous)) return undefined;
    if (!this.greeted) {
      this.greeted = true;
      return 'connect';
    }
    const frame = this.abandoned ? undefined : this.nextMessage();
    if (frame !== undefined || !this.ended) return frame;
    this.finished = true;
    return 'close';
  }

  private nextMessage(): Received | undefined {
    const { messagesPerSecond = 0 } = this.station.limits;
    if (messagesPerSecond === 0 && this.rate?.held === undefined) return this.nextFrame();
    this.rate ??= new MessageRate(this, messagesPerSecond);
    return this.rate.take(() => this.nextFrame());
  }

  private nextFrame(): Received | undefined {
    const { framer } = this;
    if (!framer) return this.waiting?.shift();
    try {
      let frame = framer.next();
      // No more will come: what is incomplete is given up, and what stands behind it is used.
      while (this.ended && frame === undefined && framer.pending > 0) {
        framer.expire();
        frame = framer.next();
      }
      this.watchPartial(framer);
      return frame;
    } catch (error) {
      this.framingFailed(error as Error);
      return undefined;
    }
  }

  /** The framer refused what came: closes the client. */
  framingFailed(error: Error): void {
    if (error instanceof ScriptError) this.station.scriptFailed('protocol_input', this, error);
    else if (error instanceof MoonwireError) countLimit(this, error);
    if (error instanceof DisconnectRequest) this.destroy(new MoonwireError('closed', error.message));
    else this.destroy(error);
  }

  /** Slows the peer down while a handler waits and enough has been received; lets it go on afterwards. */
  private regulate(): void {
    const full =
      (this.running || this.rate?.waits === true || this.station.held !== undefined) &&
      !this.port &&
      ((this.waiting?.length ?? 0) >= MAX_WAITING ||
        (this.framer?.pending ?? 0) >= this.station.limits.frameBytes);
    if (full === this.paused) return;
    this.paused = full;
    if (full) this.connection.pause();
    else this.connection.resume();
  }

  /** Gives up an incomplete frame when the rest of it does not come in time. */
  private watchPartial(framer: Framer): void {
    if (framer.pending === 0 || this.partialTimer || this.ended) return;
    this.partialPosition = framer.position;
    this.partialTimer = setTimeout(
      partialExpired,
      this.station.partialSeconds(this.connection, this.program) * 1000,
      this,
    );
  }

  /** The time for an incomplete frame is over. */
  expirePartial(): void {
    this.partialTimer = undefined;
    const { framer } = this;
    // Its time goes on afterwards; silence that ends a frame has been.
    if (!framer || (this.station.frozen && !this.station.framing(this.program).endsWithSilence)) return;
    // While a handler runs, frames wait for it, not for the peer.
    if (framer.position === this.partialPosition && !this.running) framer.expire();
    if (!this.running) this.watchPartial(framer);
    this.pump();
  }

  private perform(step: Step): Promise<void> | undefined {
    if (step === 'connect') return this.greet();
    if (step === 'close') return this.finish();
    return this.process(step);
  }

  /** `on_connect`, then `on_handshake` where the connection began with one. */
  private greet(): Promise<void> | undefined {
    const { native } = this;
    if (native) {
      // Such a protocol introduces its clients itself.
      native.opened?.(this);
      return undefined;
    }
    const handshake = this.connection.takeHandshake?.();
    const { handlers } = this.station;
    if (handlers) return handlers.connected(this, handshake);
    const waits = callHandler(this, 'on_connect');
    if (!handshake || this.program.handler('on_handshake') === undefined) return waits;
    const shake = () => {
      if (this.abandoned) return undefined;
      const { vm } = this.program;
      const facts = handshakeTables(vm, handshake, this.connection.remote);
      return callHandler(this, 'on_handshake', ...facts);
    };
    return waits ? waits.then(shake) : shake();
  }

  private finish(): Promise<void> | undefined {
    const isKnown = this.native?.closed(this) ?? true;
    const waits = isKnown ? this.tellClosed() : undefined;
    if (!waits) {
      this.station.remove(this);
      return undefined;
    }
    return waits.then(() => this.station.remove(this));
  }

  /** `on_close`. */
  private tellClosed(): Promise<void> | undefined {
    const { cause } = this;
    const { handlers } = this.station;
    if (handlers) return handlers.closed(this, cause);
    return callHandler(this, 'on_close', textValue(cause && messageOf(cause)));
  }

  /** What was decoded before this code took over, as a value of this code. */
  private own({ decoded, program: from }: Spontaneous): Decoded {
    const { program: to, connection } = this;
    if (from === to) return decoded;
    const lost: string[] = [];
    const carried = this.protocol.carryDecoded(decoded, from.protocolFor(connection), carrierOf(to), lost);
    if (lost.length > 0) this.station.leftBehind(this, lost);
    return carried;
  }

  private process(received: Received): Promise<void> | undefined {
    if (received instanceof Spontaneous) return handleDecoded(this, this.own(received));
    const { native } = this;
    if (native) return native.handle(this, received instanceof TextMessage ? received.bytes : received);
    if (received instanceof TextMessage) return handleFrame(this, received.bytes, 'text');
    return handleFrame(this, received, 'binary');
  }
}

function savedInput(received: Received): SavedInput {
  const text = received instanceof TextMessage;
  return { bytes: text ? received.bytes : (received as Uint8Array), text };
}

function receivedFrom({ bytes, text }: SavedInput): Received {
  return text ? new TextMessage(bytes) : bytes;
}

function nextTurn(client: Client): void {
  client.proceed();
}

function partialExpired(client: Client): void {
  client.expirePartial();
}

/** Text as Lua's bytes. */
function textValue(text: string | undefined): string | undefined {
  return text === undefined ? undefined : Buffer.from(text, 'utf8').toString('latin1');
}
