/** Framing by a script's own `protocol_input` or a module's `input` function. */

import { ChunkQueue } from '../bytes/chunks.js';
import type { Framer, OnDiscard } from '../bytes/framer.js';
import { MoonwireError } from '../errors.js';
import { HostObject, type LuaValue } from '../script/executor.js';
import type { ProtocolHost } from '../script/protocol-host.js';
import { BUFFER_KIND, ReceiveBuffer } from './receive-buffer.js';

/** The script asked for the connection to be closed by returning -1. */
export class DisconnectRequest extends Error {
  override readonly name = 'DisconnectRequest';
}

/**
 * Asks the function where the frame at the start of the buffer ends: its length, 0 for more bytes, -1 to
 * disconnect. It is asked again only when bytes have come since.
 */
export class LuaFramer implements Framer {
  private readonly held = new ChunkQueue();
  private asked = 0;
  position = 0;

  constructor(
    private readonly vm: ProtocolHost,
    private readonly input: LuaValue,
    private readonly extra: () => LuaValue,
    private readonly max: number,
    private readonly onDiscard: OnDiscard,
    /** On whose behalf the function runs. */
    private readonly owner: unknown,
  ) {}

  get pending(): number {
    return this.held.length;
  }

  push(bytes: Uint8Array): void {
    this.held.push(bytes);
  }

  /**
   * Throws ScriptError when the function fails or answers nonsense, {@link DisconnectRequest}, and MoonwireError
   * `too_large` when more than `max` bytes wait for a frame to end.
   */
  next(): Uint8Array | undefined {
    if (this.held.length === 0 || this.held.length === this.asked) return undefined;
    const buffer = new HostObject(BUFFER_KIND, new ReceiveBuffer(this.held));
    const [end] = this.vm.invoke(this.input, [buffer, this.extra()], this.owner);
    if (end === -1) throw new DisconnectRequest('the script asked to disconnect');
    if (typeof end !== 'number' || !Number.isInteger(end) || end < 0 || end > this.held.length) {
      throw new MoonwireError(
        'invalid_argument',
        `protocol_input must return a length from 0 to ${this.held.length} or -1, returned ${this.vm.tostring(end)}`,
      );
    }
    if (end === 0) {
      if (this.held.length > this.max) {
        throw new MoonwireError('too_large', `more than ${this.max} bytes without the end of a frame`);
      }
      this.asked = this.held.length;
      return undefined;
    }
    this.asked = 0;
    this.position += end;
    return this.held.shift(end);
  }

  expire(): void {
    // Only the function knows where a frame could begin: what is held is given up as a whole.
    this.onDiscard(this.held.peek(0, this.held.length), 'timeout');
    this.clear();
  }

  clear(): number {
    const dropped = this.held.length;
    this.held.clear();
    this.asked = 0;
    this.position += dropped;
    return dropped;
  }

  release(): Uint8Array {
    const held = this.held.peek(0, this.held.length);
    this.clear();
    return held;
  }
}
