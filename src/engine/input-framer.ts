/** Framing by a function: a script's `protocol_input`, a module's `input`, or `parse` of a program. */

import { ChunkQueue } from '../bytes/chunks.js';
import type { Framer, FramerState, OnDiscard } from '../bytes/framer.js';
import { MoonwireError } from '../errors.js';

/** The function asked for the connection to be closed by returning -1. */
export class DisconnectRequest extends Error {
  override readonly name = 'DisconnectRequest';
}

/** Says where the frame at the start of what is held ends; what else than a number it says is shown in an error. */
export type Ask = (held: ChunkQueue) => number | string;

/**
 * Asks the function where the frame at the start of the buffer ends: its length, 0 for more bytes, -1 to
 * disconnect. It is asked again only when bytes have come since.
 */
export class InputFramer implements Framer {
  private readonly held = new ChunkQueue();
  private asked = 0;
  position = 0;

  /** `name`: of the function, for errors. */
  constructor(
    private readonly name: string,
    private readonly ask: Ask,
    private readonly max: number,
    private readonly onDiscard: OnDiscard,
  ) {}

  get pending(): number {
    return this.held.length;
  }

  push(bytes: Uint8Array): void {
    this.held.push(bytes);
  }

  /**
   * Throws what the function throws, {@link DisconnectRequest}, and MoonwireError: `invalid_argument` when it answers
   * nonsense, `too_large` when more than `max` bytes wait for a frame to end.
   */
  next(): Uint8Array | undefined {
    if (this.held.length === 0 || this.held.length === this.asked) return undefined;
    const end = this.ask(this.held);
    if (end === -1) throw new DisconnectRequest(`${this.name} asked to disconnect`);
    if (typeof end !== 'number' || !Number.isInteger(end) || end < 0 || end > this.held.length) {
      throw new MoonwireError(
        'invalid_argument',
        `${this.name} must return a length from 0 to ${this.held.length} or -1, returned ${end}`,
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

  save(): FramerState {
    return { bytes: this.held.peek(0, this.held.length) };
  }

  restore({ bytes }: FramerState): void {
    this.push(bytes);
  }
}
