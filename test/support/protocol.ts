/** Drives a protocol module of lua/ by bytes, without a connection, and keeps everything it did. */

import type { DiscardReason } from '../../src/bytes/framer.js';
import { defaultCodecs } from '../../src/codecs/registry.js';
import { installOfflineMix } from '../../src/engine/mix/index.js';
import { Protocol, type ProtocolPeer } from '../../src/engine/protocol.js';
import { silentLogger } from '../../src/log.js';
import { Failure } from '../../src/script/api.js';
import type { LuaRef, LuaValue } from '../../src/script/executor.js';
import type { ProtocolHost } from '../../src/script/protocol-host.js';
import { Vm } from '../../src/script/vm.js';

const MAX_FRAME = 65_536;

/** A decoded message as plain JavaScript. */
export type Message = Record<string, unknown>;

/** What a protocol did with a stream. */
export interface Outcome {
  messages: Message[];
  /** Acknowledgements in hex, in order. */
  replies: string[];
  /** Errors of frames that do not decode. */
  errors: string[];
  /** Bytes that belonged to no frame. */
  discarded: number;
  reasons: DiscardReason[];
}

/** What loads modules, beside what a protocol needs. */
interface Loads {
  require(name: string): LuaValue;
  execute(text: string, chunk: string): LuaValue[];
}

/** A protocol module in a VM of its own. */
export class ProtocolUnderTest {
  readonly protocol: Protocol;

  /** `module`: its name, or its table; `part`: a module within it, such as `server`. */
  constructor(
    module: string | LuaRef,
    part?: string,
    readonly vm: ProtocolHost & Loads = offlineVm(),
  ) {
    const table = typeof module === 'string' ? vm.require(module) : module;
    this.protocol = Protocol.fromModule(vm, part === undefined ? table : vm.field(table, part));
  }

  peer(): Peer {
    return new Peer(this);
  }

  /** Feeds a new peer; `null` among the chunks lets the incomplete frame expire. */
  feed(chunks: readonly (Uint8Array | null)[]): Outcome {
    return this.peer().feed(chunks);
  }
}

/** One imaginary device. */
export class Peer implements ProtocolPeer {
  session: LuaValue;

  constructor(private readonly under: ProtocolUnderTest) {}

  conn(): LuaValue {
    return undefined;
  }

  feed(chunks: readonly (Uint8Array | null)[]): Outcome {
    const outcome: Outcome = { messages: [], replies: [], errors: [], discarded: 0, reasons: [] };
    const framer = this.under.protocol.createFramer(this, MAX_FRAME, (bytes, reason) => {
      outcome.discarded += bytes.length;
      outcome.reasons.push(reason);
    });
    for (const chunk of chunks) {
      if (chunk) framer.push(chunk);
      else framer.expire();
      for (let frame = framer.next(); frame; frame = framer.next()) this.decode(frame, outcome);
    }
    return outcome;
  }

  /** Decodes one frame past the framing: a datagram, or a frame whose checksum is known to be wrong. */
  decode(
    frame: Uint8Array,
    outcome: Outcome = { messages: [], replies: [], errors: [], discarded: 0, reasons: [] },
  ): Outcome {
    const { protocol } = this.under;
    const result = protocol.decode(frame, this);
    if (result instanceof Failure) outcome.errors.push(result.message);
    else if (result) {
      for (const message of result.messages) outcome.messages.push(protocol.toJs(message) as Message);
      const reply = protocol.reply(result.decoded, this);
      if (reply) outcome.replies.push(Buffer.from(reply).toString('hex'));
    }
    return outcome;
  }

  /** Encodes a message given as Lua source; its bytes in hex, or what is wrong with it. */
  encode(source: string): string {
    const [message] = this.under.vm.execute(`return ${source}`, '@test');
    const bytes = this.under.protocol.encode(message, this);
    return bytes instanceof Failure ? bytes.message : Buffer.from(bytes).toString('hex');
  }
}

/** A VM with the pure part of `mix` and lua/ as its only root. */
export function offlineVm(): Vm {
  const roots = ['lua'];
  const vm = new Vm({ roots, log: silentLogger });
  installOfflineMix(vm, { codecs: defaultCodecs(roots), frameBytes: MAX_FRAME });
  return vm;
}
