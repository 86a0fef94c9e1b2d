/**
 * A device protocol as the engine drives it: from a protocol module (design §3.2) or from the `protocol_*`
 * functions of an entry script (§3.1). Both are pure calls into Lua; no connection is known here.
 */

import type { Framer, FramerSpec, OnDiscard } from '../bytes/framer.js';
import { Failure } from '../script/api.js';
import { HostObject, type LuaValue } from '../script/executor.js';
import { bytesOf } from '../script/fengari.js';
import { FRAME_KIND } from '../script/mix/frame.js';
import type { ProtocolHost } from '../script/protocol-host.js';
import type { Pushable } from '../script/values.js';
import type { Vm } from '../script/vm.js';
import type { MessageType } from '../transports/connection.js';
import { LuaFramer } from './lua-framer.js';

/** What a protocol keeps for one peer. */
export interface ProtocolPeer {
  /** The `session` table handed to a module's functions; made at first use. */
  session: LuaValue;
  /** The client as scripts see it; undefined offline. */
  conn(): LuaValue;
}

/** A frame that decoded: `messages` for the handlers, `decoded` for the acknowledgement. */
export interface Decoded {
  messages: readonly Pushable[];
  decoded: Pushable;
}

/** How Lua is called: on a budget of its own, or from within a script that is running. */
type Call = (fn: LuaValue, args: LuaValue[]) => LuaValue[];

export class Protocol {
  private constructor(
    private readonly vm: ProtocolHost,
    /** The module's name, or the script's own functions. */
    readonly name: string,
    private readonly isModule: boolean,
    private readonly framing: FramerSpec | undefined,
    private readonly input: LuaValue,
    private readonly decoder: LuaValue,
    private readonly encoder: LuaValue,
    private readonly acknowledger: LuaValue,
    private readonly matcher: LuaValue,
    /** The device needs its acknowledgement before the handlers have run. */
    readonly replyFirst: boolean,
    /** Its messages have another form in datagrams, which `decode` tells from frames. */
    readonly readsDatagrams: boolean,
    /** Its messages are those of a WebSocket: `{type, data, finish}`. */
    private readonly typed = false,
  ) {}

  /** From a module's table. Throws when a field has the wrong type. */
  static fromModule(vm: ProtocolHost, module: LuaValue): Protocol {
    const name = vm.field(module, 'name');
    const label = typeof name === 'string' ? name : 'protocol';
    const fn = (key: string): LuaValue => {
      const value = vm.field(module, key);
      if (value !== undefined && vm.type(value) !== 'function') {
        throw new Error(`protocol ${label}: ${key} must be a function, is a ${vm.type(value)}`);
      }
      return value;
    };
    const frame = vm.field(module, 'frame');
    if (frame !== undefined && !(frame instanceof HostObject && frame.kind === FRAME_KIND)) {
      throw new Error(`protocol ${label}: frame must be what mix.frame.… returns, is a ${vm.type(frame)}`);
    }
    return new Protocol(
      vm,
      label,
      true,
      frame?.data as FramerSpec | undefined,
      fn('input'),
      fn('decode'),
      fn('encode'),
      fn('reply'),
      fn('matches'),
      vm.field(module, 'reply_first') === true,
      vm.field(module, 'datagrams') === true,
    );
  }

  /** From what an entry script defines: a global `protocol`, else its `protocol_*` functions. */
  static fromScript(vm: Vm): Protocol {
    const module = vm.global('protocol');
    if (module !== undefined) {
      if (vm.type(module) !== 'table') throw new Error(`protocol must be a module, is a ${vm.type(module)}`);
      return Protocol.fromModule(vm, module);
    }
    return new Protocol(
      vm,
      'script',
      false,
      undefined,
      vm.global('protocol_input'),
      vm.global('protocol_decode'),
      vm.global('protocol_encode'),
      undefined,
      undefined,
      false,
      false,
    );
  }

  /**
   * From an entry script of a WebSocket server: messages come whole and with a type, so of what the script defines
   * only its encoder is used.
   */
  static forWebSocket(vm: Vm): Protocol {
    const { name, isModule, encoder } = Protocol.fromScript(vm);
    const none = undefined;
    return new Protocol(vm, name, isModule, none, none, none, encoder, none, none, false, false, true);
  }

  /** Whether the bytes of a stream are cut into frames; otherwise each received chunk is one. */
  get framed(): boolean {
    return this.framing !== undefined || this.input !== undefined;
  }

  /** Whether there is anything beside handing received bytes on as they are. */
  get decodes(): boolean {
    return this.framed || this.decoder !== undefined;
  }

  /** Whether it encodes messages; otherwise only strings can be sent. */
  get encodes(): boolean {
    return this.encoder !== undefined;
  }

  /** A decoded message as plain JavaScript. */
  toJs(message: Pushable): unknown {
    return this.vm.toJs(message);
  }

  /** Whether a silence of `partial` seconds ends a frame, counted from its last byte and not from its first. */
  get endsWithSilence(): boolean {
    return this.framing?.kind === 'gap';
  }

  /** Seconds an incomplete frame may wait, when the protocol says so. */
  get partial(): number | undefined {
    return this.framing?.partial;
  }

  /** Longest frame in bytes, when the framing says so. */
  get frameMax(): number | undefined {
    return this.framing?.max;
  }

  /** Whether it tells which message answers which request. */
  get canMatch(): boolean {
    return this.matcher !== undefined;
  }

  /**
   * Whether a message answers a request (bytes, or what was encoded); else why not, where the module says so
   * (`wrong_unit`, `wrong_function`). A protocol that cannot tell takes any message. Throws ScriptError.
   */
  matches(request: LuaValue, message: Pushable): boolean | string {
    if (this.matcher === undefined) return true;
    const [answers, reason] = this.vm.invoke(this.matcher, [request, message]);
    if (answers === true) return true;
    return typeof reason === 'string' ? reason : false;
  }

  /** The code of a reply that is an error: its `exception` or `error_code`. */
  exceptionOf(message: Pushable): string | undefined {
    const value = this.vm.values.read(this.vm.values.slot(message));
    if (this.vm.type(value) !== 'table') return undefined;
    const code = this.vm.field(value, 'exception') ?? this.vm.field(value, 'error_code');
    return typeof code === 'number' || typeof code === 'string' ? String(code).slice(0, 32) : undefined;
  }

  /** A framer for one peer's stream. `max`: longest frame in bytes, for framing done in Lua. */
  createFramer(peer: ProtocolPeer, max: number, onDiscard: OnDiscard): Framer {
    if (this.framing) return this.framing.create(onDiscard);
    return new LuaFramer(this.vm, this.input, () => this.extra(peer), max, onDiscard, peer);
  }

  /**
   * Decodes a frame. Returns a {@link Failure} for a frame that the protocol calls malformed, undefined for one
   * that carries nothing. Throws ScriptError when the code fails. `type`: how a WebSocket carried it.
   */
  decode(frame: Uint8Array, peer: ProtocolPeer, type: MessageType = 'binary'): Decoded | Failure | undefined {
    if (this.typed) {
      const message = this.vm.table({ type, data: new Uint8Array(frame), finish: true });
      return { messages: [message], decoded: message };
    }
    if (this.decoder === undefined) {
      // A copy, so that a script which keeps the message does not keep the chunk it came in.
      const message = new Uint8Array(frame);
      return { messages: [message], decoded: message };
    }
    const [decoded, error] = this.vm.invoke(this.decoder, [frame, this.extra(peer)], peer);
    if (decoded === undefined || decoded === null) {
      return error === undefined ? undefined : new Failure(this.vm.tostring(error));
    }
    return { messages: this.isModule ? this.list(decoded) : [decoded], decoded };
  }

  /**
   * Encodes a message for this peer: strings pass as they are where there is no encoder. Returns a
   * {@link Failure} when the protocol refuses it. Throws ScriptError when the code fails.
   */
  encode(message: LuaValue, peer: ProtocolPeer, call: Call = this.outside): Uint8Array | Failure {
    if (this.encoder === undefined) {
      if (typeof message === 'string') return bytesOf(message);
      return new Failure(`${this.name} has no encode, so only strings can be sent`);
    }
    const [bytes, error] = call(this.encoder, [message, this.extra(peer)]);
    if (typeof bytes === 'string') return bytesOf(bytes);
    if (error !== undefined) return new Failure(this.vm.tostring(error));
    return new Failure(`encode returned a ${this.vm.type(bytes)}, not a string`);
  }

  /** The acknowledgement of a decoded frame; undefined when the protocol has none for it. */
  reply(decoded: Pushable, peer: ProtocolPeer): Uint8Array | undefined {
    if (this.acknowledger === undefined) return undefined;
    const [bytes] = this.vm.invoke(this.acknowledger, [decoded, this.extra(peer)], peer);
    return typeof bytes === 'string' && bytes !== '' ? bytesOf(bytes) : undefined;
  }

  private readonly outside: Call = (fn, args) => this.vm.invoke(fn, args);

  /** A module gets its session, a script's function its client. */
  private extra(peer: ProtocolPeer): LuaValue {
    if (!this.isModule) return peer.conn();
    peer.session ??= this.vm.table({});
    return peer.session;
  }

  /** A list of messages is a table with an element 1; anything else is one message. */
  private list(decoded: LuaValue): LuaValue[] {
    if (this.vm.field(decoded, 1) === undefined) return [decoded];
    const messages: LuaValue[] = [];
    for (let i = 1; ; i++) {
      const message = this.vm.field(decoded, i);
      if (message === undefined) return messages;
      messages.push(message);
    }
  }
}
