/**
 * A device protocol as the engine drives it: from a protocol module (design §3.2) or from the `protocol_*`
 * functions of an entry script (§3.1). Both are pure calls into Lua; no connection is known here.
 */

import type { ChunkQueue } from '../bytes/chunks.js';
import type { Framer, FramerSpec, OnDiscard } from '../bytes/framer.js';
import { Failure } from '../script/api.js';
import { carry } from '../script/carry.js';
import type { Crossing } from '../script/crossing.js';
import { HostObject, type LuaValue } from '../script/executor.js';
import { FRAME_KIND } from '../script/mix/frame.js';
import type { ProtocolHost } from '../script/protocol-host.js';
import type { Pushable } from '../script/values.js';
import type { Vm } from '../script/vm.js';
import type { MessageType } from '../transports/connection.js';
import { InputFramer } from './input-framer.js';
import { BUFFER_KIND, ReceiveBuffer } from './receive-buffer.js';

/** What a protocol keeps for one peer. */
export interface ProtocolPeer {
  /** The `session` table handed to a module's functions; made at first use. */
  session: LuaValue;
  /** The client as scripts see it; undefined offline. */
  conn(): LuaValue;
}

/**
 * A frame that decoded: `messages` for the handlers ({@link Protocol.toScript} hands them over), `decoded` for the
 * acknowledgement.
 */
export interface Decoded {
  messages: readonly Pushable[];
  decoded: Pushable;
}

/** What a protocol is made of: functions of its host, where it has them. */
interface Parts {
  /** The module's name, or the script's own functions. */
  name: string;
  isModule: boolean;
  framing?: FramerSpec | undefined;
  input?: LuaValue;
  decoder?: LuaValue;
  encoder?: LuaValue;
  acknowledger?: LuaValue;
  matcher?: LuaValue;
  /** The device needs its acknowledgement before the handlers have run. */
  replyFirst: boolean;
  /** Its messages have another form in datagrams, which `decode` tells from frames. */
  readsDatagrams: boolean;
  /** Its messages are those of a WebSocket: `{type, data, finish}`. */
  typed: boolean;
}

export class Protocol {
  private constructor(
    private readonly host: ProtocolHost,
    private readonly parts: Parts,
    /** The way to the entry script's VM, unless that is the host. */
    private readonly crossing: Crossing | undefined,
  ) {}

  /**
   * From a module's table. `crossing`: the way to the VM of the entry script, where that is not the host. Throws when a
   * field has the wrong type.
   */
  static fromModule(host: ProtocolHost, module: LuaValue, crossing?: Crossing): Protocol {
    const name = host.field(module, 'name');
    const label = typeof name === 'string' ? name : 'protocol';
    const fn = (key: string): LuaValue => {
      const value = host.field(module, key);
      if (value !== undefined && host.type(value) !== 'function') {
        throw new Error(`protocol ${label}: ${key} must be a function, is a ${host.type(value)}`);
      }
      return value;
    };
    const frame = host.field(module, 'frame');
    if (frame !== undefined && !(frame instanceof HostObject && frame.kind === FRAME_KIND)) {
      throw new Error(`protocol ${label}: frame must be what mix.frame.… returns, is a ${host.type(frame)}`);
    }
    const parts: Parts = {
      name: label,
      isModule: true,
      framing: frame?.data as FramerSpec | undefined,
      input: fn('input'),
      decoder: fn('decode'),
      encoder: fn('encode'),
      acknowledger: fn('reply'),
      matcher: fn('matches'),
      replyFirst: host.field(module, 'reply_first') === true,
      readsDatagrams: host.field(module, 'datagrams') === true,
      typed: false,
    };
    return new Protocol(host, parts, crossing);
  }

  /** From what an entry script defines: a global `protocol`, else its `protocol_*` functions. */
  static fromScript(vm: Vm): Protocol {
    const module = vm.global('protocol');
    if (module !== undefined) {
      if (vm.type(module) !== 'table') throw new Error(`protocol must be a module, is a ${vm.type(module)}`);
      return Protocol.fromModule(vm, module);
    }
    const parts: Parts = {
      name: 'script',
      isModule: false,
      input: vm.global('protocol_input'),
      decoder: vm.global('protocol_decode'),
      encoder: vm.global('protocol_encode'),
      replyFirst: false,
      readsDatagrams: false,
      typed: false,
    };
    return new Protocol(vm, parts, undefined);
  }

  /** This protocol where messages come whole and with a type, those of a WebSocket: only its encoder is used. */
  forWebSocket(): Protocol {
    const { name, isModule, encoder } = this.parts;
    const parts = { name, isModule, encoder, replyFirst: false, readsDatagrams: false, typed: true };
    return new Protocol(this.host, parts, this.crossing);
  }

  /** The module's name, or the script's own functions. */
  get name(): string {
    return this.parts.name;
  }

  /** Whether it is a module, and not the script's own functions. */
  get isModule(): boolean {
    return this.parts.isModule;
  }

  /** Whether it runs beside the entry script, compiled. */
  get compiled(): boolean {
    return this.crossing !== undefined;
  }

  /** The device needs its acknowledgement before the handlers have run. */
  get replyFirst(): boolean {
    return this.parts.replyFirst;
  }

  /** Its messages have another form in datagrams, which `decode` tells from frames. */
  get readsDatagrams(): boolean {
    return this.parts.readsDatagrams;
  }

  /** Whether the bytes of a stream are cut into frames; otherwise each received chunk is one. */
  get framed(): boolean {
    return this.parts.framing !== undefined || this.parts.input !== undefined;
  }

  /** Whether there is anything beside handing received bytes on as they are. */
  get decodes(): boolean {
    return this.framed || this.parts.decoder !== undefined;
  }

  /** Whether it encodes messages; otherwise only strings can be sent. */
  get encodes(): boolean {
    return this.parts.encoder !== undefined;
  }

  /** A decoded message as the entry script's handlers get it. Throws LuaError for what cannot be handed over. */
  toScript(message: Pushable): Pushable {
    return this.crossing ? this.crossing.toScript(message) : message;
  }

  /** A decoded message as plain JavaScript. */
  toJs(message: Pushable): unknown {
    return this.host.toJs(message);
  }

  /** What the module keeps for a peer, as plain JavaScript. Throws LuaError for what cannot leave its VM. */
  saveSession({ session }: ProtocolPeer): unknown {
    return session === undefined ? undefined : this.host.toJs(session);
  }

  /** A session from what {@link saveSession} returned, perhaps in another process. */
  restoreSession(peer: ProtocolPeer, saved: unknown): void {
    if (saved !== undefined) peer.session = this.host.fromJs(saved);
  }

  /** Whether a silence of `partial` seconds ends a frame, counted from its last byte and not from its first. */
  get endsWithSilence(): boolean {
    return this.parts.framing?.kind === 'gap';
  }

  /** Seconds an incomplete frame may wait, when the protocol says so. */
  get partial(): number | undefined {
    return this.parts.framing?.partial;
  }

  /** Longest frame in bytes, when the framing says so. */
  get frameMax(): number | undefined {
    return this.parts.framing?.max;
  }

  /** Whether it tells which message answers which request. */
  get canMatch(): boolean {
    return this.parts.matcher !== undefined;
  }

  /**
   * Whether a message answers a request (bytes, or what was encoded); else why not, where the module says so
   * (`wrong_unit`, `wrong_function`). A protocol that cannot tell takes any message. Throws ScriptError.
   */
  matches(request: LuaValue, message: Pushable): boolean | string {
    if (this.parts.matcher === undefined) return true;
    const [answers, reason] = this.host.invoke(this.parts.matcher, [this.fromScript(request), message]);
    if (answers === true) return true;
    return typeof reason === 'string' ? reason : false;
  }

  /** The code of a reply that is an error: its `exception` or `error_code`. */
  exceptionOf(message: Pushable): string | undefined {
    if (message === null || message instanceof Uint8Array) return undefined;
    const code = this.host.field(message, 'exception') ?? this.host.field(message, 'error_code');
    return typeof code === 'number' || typeof code === 'string' ? String(code).slice(0, 32) : undefined;
  }

  /** Whether a framer of the other can go on for this one. */
  framesAs(other: Protocol): boolean {
    const declaration = this.parts.framing?.declaration;
    return declaration !== undefined && declaration === other.parts.framing?.declaration;
  }

  /** A session of another protocol as one of this; what stays behind is told in `lost`. */
  carrySession(
    session: LuaValue,
    other: Protocol,
    object: (object: HostObject) => HostObject | undefined,
    lost: string[],
  ): LuaValue {
    if (session === undefined || !this.parts.isModule) return undefined;
    return carry(session, { from: other.host, to: this.host, object }, 'session', lost);
  }

  /** Messages that another protocol decoded as ones of this. */
  carryDecoded(
    { messages, decoded }: Decoded,
    other: Protocol,
    object: (object: HostObject) => HostObject | undefined,
    lost: string[],
  ): Decoded {
    const carriage = { from: other.host, to: this.host, object };
    const over = (message: Pushable): Pushable =>
      message === null || message instanceof Uint8Array
        ? message
        : (carry(message, carriage, 'message', lost) ?? null);
    return { messages: messages.map(over), decoded: over(decoded) };
  }

  /** A framer for one peer's stream. `max`: longest frame in bytes, for framing done in Lua. */
  createFramer(peer: ProtocolPeer, max: number, onDiscard: OnDiscard): Framer {
    if (this.parts.framing) return this.parts.framing.create(onDiscard);
    const ask = (held: ChunkQueue): number | string => {
      const buffer = new HostObject(BUFFER_KIND, new ReceiveBuffer(held));
      const [end] = this.host.invoke(this.parts.input, [buffer, this.extra(peer)], peer);
      return typeof end === 'number' ? end : this.host.tostring(end);
    };
    return new InputFramer('protocol_input', ask, max, onDiscard);
  }

  /**
   * Decodes a frame. Returns a {@link Failure} for a frame that the protocol calls malformed, undefined for one
   * that carries nothing. Throws ScriptError when the code fails. `type`: how a WebSocket carried it.
   */
  decode(frame: Uint8Array, peer: ProtocolPeer, type: MessageType = 'binary'): Decoded | Failure | undefined {
    if (this.parts.typed) {
      const message = this.host.table({ type, data: new Uint8Array(frame), finish: true });
      return { messages: [message], decoded: message };
    }
    if (this.parts.decoder === undefined) {
      // A copy, so that a script which keeps the message does not keep the chunk it came in.
      const message = new Uint8Array(frame);
      return { messages: [message], decoded: message };
    }
    const [decoded, error] = this.host.invoke(this.parts.decoder, [frame, this.extra(peer)], peer);
    if (decoded === undefined || decoded === null) {
      return error === undefined ? undefined : new Failure(this.host.tostring(error));
    }
    return { messages: this.parts.isModule ? this.list(decoded) : [decoded], decoded };
  }

  /**
   * Encodes a message of the entry script for this peer: strings pass as they are where there is no encoder. `inside`:
   * that script is running, and calls it. Returns a {@link Failure} when the protocol refuses it. Throws ScriptError
   * when the code fails, or LuaError inside a script.
   */
  encode(message: LuaValue, peer: ProtocolPeer, inside = false): Uint8Array | Failure {
    return this.encodeOwn(this.fromScript(message), peer, inside);
  }

  /** Encodes a message given as plain JavaScript. Throws also LuaError for what no script can hold. */
  encodeJs(message: unknown, peer: ProtocolPeer): Uint8Array | Failure {
    return this.encodeOwn(this.host.fromJs(message), peer, false);
  }

  private encodeOwn(message: LuaValue, peer: ProtocolPeer, inside: boolean): Uint8Array | Failure {
    const { encoder, name } = this.parts;
    if (encoder === undefined) {
      if (typeof message === 'string') return Buffer.from(message, 'latin1');
      return new Failure(`${name} has no encode, so only strings can be sent`);
    }
    const args = [message, this.extra(peer)];
    const [bytes, error] = inside ? this.host.invokeInside(encoder, args) : this.host.invoke(encoder, args);
    if (typeof bytes === 'string') return Buffer.from(bytes, 'latin1');
    if (error !== undefined) return new Failure(this.host.tostring(error));
    return new Failure(`encode returned a ${this.host.type(bytes)}, not a string`);
  }

  /** The acknowledgement of a decoded frame; undefined when the protocol has none for it. */
  reply(decoded: Pushable, peer: ProtocolPeer): Uint8Array | undefined {
    if (this.parts.acknowledger === undefined) return undefined;
    const [bytes] = this.host.invoke(this.parts.acknowledger, [decoded, this.extra(peer)], peer);
    return typeof bytes === 'string' && bytes !== '' ? Buffer.from(bytes, 'latin1') : undefined;
  }

  private fromScript(value: LuaValue): LuaValue {
    return this.crossing ? this.crossing.fromScript(value) : value;
  }

  /** A module gets its session, a script's function its client. */
  private extra(peer: ProtocolPeer): LuaValue {
    if (!this.parts.isModule) return peer.conn();
    peer.session ??= this.host.table({});
    return peer.session;
  }

  /** A list of messages is a table with an element 1; anything else is one message. */
  private list(decoded: LuaValue): LuaValue[] {
    if (this.host.field(decoded, 1) === undefined) return [decoded];
    const messages: LuaValue[] = [];
    for (let i = 1; ; i++) {
      const message = this.host.field(decoded, i);
      if (message === undefined) return messages;
      messages.push(message);
    }
  }
}
