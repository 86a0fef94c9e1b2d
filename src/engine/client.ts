/**
 * One peer of a server or link: its connection, its place in the protocol, and the queue that runs its handlers
 * one after the other. Clients do not hold up each other.
 *
 * There may be 10,000 idle ones, so a client is one object without closures, timers, tables or buffers until it
 * needs them; it is itself the owner of its connection.
 */

import { MoonwireError, messageOf } from '../errors.js';
import { Failure, type HostObject } from '../script/api.js';
import type { LuaValue } from '../script/executor.js';
import type { Connection, ConnectionHandler, MessageType } from '../transports/connection.js';
import type { Port } from './bus/port.js';
import { carrierOf } from './carrier.js';
import type { Subscriber } from './channels.js';
import { ClientContext } from './client-context.js';
import { ClientInput } from './client-input.js';
import { countLimit } from './client-limits.js';
import { ClientOutput } from './client-output.js';
import type { Conn } from './conn.js';
import type { ClientView } from './embedded/client.js';
import { callHandler, handleDecoded, handleFrame } from './handling.js';
import { handshakeTables } from './handshake.js';
import type { NativeProtocol } from './native.js';
import type { Program } from './program.js';
import type { Decoded, Protocol, ProtocolPeer } from './protocol.js';
import { type Received, Spontaneous, TextMessage } from './received.js';
import type { Station } from './station.js';
import { hexOf, type TraceEvent, type TraceListener } from './trace.js';

/**
 * Frames of one client handled before others have their turn, and before what was sent begins to leave: thousands may
 * have come at once, and the answers to all would not fit the send buffer.
 */
const STEPS_A_TURN = 64;
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
  /** What was received and not handled yet, once something was. */
  input: ClientInput | undefined;
  /** What `conn:set_context` keeps, once it was used. */
  keptContext: ClientContext | undefined;
  /** How far its life is: `on_connect` was begun, the connection is over, `on_close` was begun. */
  greeted = false;
  over = false;
  private finished = false;
  /** Whether a handler of it is under way, or waits for the next turn. */
  handling = false;
  private hostObject: HostObject<Conn> | undefined;
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
    return this.input?.slowed === true;
  }

  /** This client as its scripts see it. */
  conn(): HostObject<Conn> {
    this.hostObject ??= this.program.connOf(this);
    return this.hostObject;
  }

  /** What `conn:set_context` keeps. */
  get context(): ClientContext {
    this.keptContext ??= new ClientContext();
    return this.keptContext;
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
    this.received().receive(bytes, type);
    this.pump();
  }

  /** What was received from it. */
  received(): ClientInput {
    this.input ??= new ClientInput(this);
    return this.input;
  }

  /** From now on requests are sent through this port, which also cuts and decodes what comes. */
  engage(port: Port): void {
    this.clearBuffer();
    this.input?.unframe();
    this.port = port;
    port.opened(this);
  }

  /** Hands a message of the bus that answers no request to `on_message`, in its turn. */
  deliverLater(decoded: Decoded): void {
    this.received().receiveDecoded(decoded);
    this.pump();
  }

  alive(): void {
    this.lastSeen = performance.now();
  }

  drain(): void {
    this.output?.drained();
  }

  close(error?: Error): void {
    this.over = true;
    if (!this.abandoned && error instanceof MoonwireError) countLimit(this, error);
    this.cause ??= error;
    this.output?.close();
    this.input?.close();
    this.port?.closed(this);
    this.keptContext?.close();
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
    const held = (this.port?.clear() ?? 0) + (this.input?.clear() ?? 0);
    this.station.counters.discard('cleared', held);
    return held;
  }

  // -- To another process -----------------------------------------------------------------------------------------

  /** Goes on after it was not read from. */
  thaw(): void {
    this.connection.thaw?.();
    this.pump();
  }

  /** Another process has it: nothing is done here any more. */
  letGo(): void {
    this.input?.close();
    this.connection.letGo?.();
  }

  // -- Handlers, one after the other ----------------------------------------------------------------------------

  /** Handles what was received, as far as nothing holds it up. */
  pump(): void {
    for (let steps = 1; !this.handling && this.mayGoOn(); steps++) {
      const step = this.take();
      if (step === undefined) break;
      this.handling = true;
      const waits = this.perform(step);
      if (waits) waits.then(() => this.proceed());
      else if (steps >= STEPS_A_TURN) setImmediate(nextTurn, this);
      else this.handling = false;
    }
    this.input?.regulate();
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
    if (from === to || this.handling || this.commands > 0) return;
    const lost: string[] = [];
    from.leave(this, this.session, this.hostObject);
    this.program = to;
    const object = carrierOf(to);
    this.hostObject = to.knows(this) ? to.connOf(this) : undefined;
    const before = from.protocolFor(this.connection);
    this.session = this.protocol.carrySession(this.session, before, object, lost);
    this.input?.reframe(from);
    this.port?.renewed();
    if (lost.length > 0) station.leftBehind(this, lost);
  }

  /** The step that ran is over. */
  proceed(): void {
    this.handling = false;
    this.pump();
  }

  /** What is to be done next. */
  private take(): Step | undefined {
    if (this.finished) return undefined;
    if (this.station.frozen && !this.over && !this.input?.leadsWithSpontaneous) return undefined;
    if (!this.greeted) {
      this.greeted = true;
      return 'connect';
    }
    const frame = this.abandoned ? undefined : this.input?.next();
    if (frame !== undefined || !this.over) return frame;
    this.finished = true;
    return 'close';
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

function nextTurn(client: Client): void {
  client.proceed();
}

/** Text as Lua's bytes. */
function textValue(text: string | undefined): string | undefined {
  return text === undefined ? undefined : Buffer.from(text, 'utf8').toString('latin1');
}
