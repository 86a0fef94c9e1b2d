/**
 * What was received from one client and not handled yet: cut into frames, or message by message, at the pace its rate
 * allows. A client has one from the first byte it sends.
 */

import type { Framer } from '../bytes/framer.js';
import { MoonwireError } from '../errors.js';
import { ScriptError } from '../script/script-error.js';
import type { MessageType } from '../transports/connection.js';
import type { Client } from './client.js';
import { countLimit } from './client-limits.js';
import type { SavedInput, SavedReceived } from './handover/saved.js';
import { DisconnectRequest } from './input-framer.js';
import { MessageRate } from './message-rate.js';
import type { Program } from './program.js';
import type { Decoded } from './protocol.js';
import { type Received, Spontaneous, TextMessage } from './received.js';

/** Chunks or datagrams that may wait while a handler does; then the peer is slowed down. */
const MAX_WAITING = 16;
/** Messages of a bus that may wait: it is not slowed down, so that replies come through; more are dropped. */
const MAX_SPONTANEOUS = 256;

export class ClientInput {
  private framer: Framer | undefined;
  private waiting: Received[] | undefined;
  private rate: MessageRate | undefined;
  private partialTimer: NodeJS.Timeout | undefined;
  private partialPosition = 0;
  private paused = false;

  constructor(private readonly client: Client) {}

  /** Whether the peer is not read from, or not heard: what it sends has to wait. */
  get slowed(): boolean {
    return this.paused || this.rate?.waits === true;
  }

  /** Whether what comes next is a message of a bus. */
  get leadsWithSpontaneous(): boolean {
    return this.waiting?.[0] instanceof Spontaneous;
  }

  receive(bytes: Uint8Array, type: MessageType | undefined): void {
    const { station, connection, program } = this.client;
    if (!station.framed(connection, program)) {
      this.waiting ??= [];
      this.waiting.push(type === 'text' ? new TextMessage(bytes) : bytes);
      return;
    }
    this.framer ??= station.createFramer(this.client, program);
    this.framer.push(bytes);
    if (station.framing(program).endsWithSilence) this.stopPartial();
  }

  /** Takes a message of the bus that answers no request; one too many is counted and dropped. */
  receiveDecoded(decoded: Decoded): void {
    this.waiting ??= [];
    if (this.waiting.length < MAX_SPONTANEOUS)
      this.waiting.push(new Spontaneous(decoded, this.client.program));
    else this.client.station.counters.discard('overflow', 1);
  }

  /** What is handled next; undefined when nothing is whole, or it has to wait for its time. */
  next(): Received | undefined {
    const { messagesPerSecond = 0 } = this.client.station.limits;
    if (messagesPerSecond === 0 && this.rate?.held === undefined) return this.nextFrame();
    this.rate ??= new MessageRate(this.client, messagesPerSecond);
    return this.rate.take(() => this.nextFrame());
  }

  private nextFrame(): Received | undefined {
    const { framer, client } = this;
    if (!framer) return this.waiting?.shift();
    try {
      let frame = framer.next();
      // No more will come: what is incomplete is given up, and what stands behind it is used.
      while (client.over && frame === undefined && framer.pending > 0) {
        framer.expire();
        frame = framer.next();
      }
      this.watchPartial(framer);
      return frame;
    } catch (error) {
      framingFailed(client, error as Error);
      return undefined;
    }
  }

  /** Drops all of it; returns how many bytes that were. */
  clear(): number {
    const framed = this.framer?.clear() ?? 0;
    const waiting = (this.waiting ?? []).reduce((sum, chunk) => sum + chunk.length, 0);
    this.waiting = undefined;
    return framed + waiting + (this.rate?.clear() ?? 0);
  }

  /** From now on a bus cuts what comes. */
  unframe(): void {
    this.framer = undefined;
    this.stopPartial();
  }

  /** The connection is over; what was received can still be taken. */
  close(): void {
    this.rate?.close();
    this.stopPartial();
  }

  /** Slows the peer down while its messages wait and enough has been received; lets it go on afterwards. */
  regulate(): void {
    const { station, port, handling, connection } = this.client;
    const full =
      (handling || this.rate?.waits === true || station.held !== undefined) &&
      !port &&
      ((this.waiting?.length ?? 0) >= MAX_WAITING ||
        (this.framer?.pending ?? 0) >= station.limits.frameBytes);
    if (full === this.paused) return;
    this.paused = full;
    if (full) connection.pause();
    else connection.resume();
  }

  /** Lets what was received and not cut yet go on in the framing of the client's program. `from`: what it had before. */
  reframe(from: Program): void {
    const { framer, client } = this;
    const { station, program, connection, native, protocol } = client;
    const framed = station.framed(connection, program);
    if (!framer) {
      if (!this.waiting || native || !framed) return;
      // Chunks that were messages as they came are a stream now.
      this.framer = station.createFramer(client, program);
      const { waiting } = this;
      this.waiting = undefined;
      for (const received of waiting) if (received instanceof Uint8Array) this.framer.push(received);
      return;
    }
    if (native || protocol.framesAs(from.protocolFor(connection))) return;
    this.stopPartial();
    const held = framer.release();
    this.framer = framed ? station.createFramer(client, program) : undefined;
    if (held.length === 0) return;
    if (this.framer) this.framer.push(held);
    else this.waiting = [held];
  }

  // -- An incomplete frame --------------------------------------------------------------------------------------

  /** Gives up an incomplete frame when the rest of it does not come in time. */
  private watchPartial(framer: Framer): void {
    const { station, connection, program, over } = this.client;
    if (framer.pending === 0 || this.partialTimer || over) return;
    this.partialPosition = framer.position;
    this.partialTimer = setTimeout(partialExpired, station.partialSeconds(connection, program) * 1000, this);
  }

  private stopPartial(): void {
    clearTimeout(this.partialTimer);
    this.partialTimer = undefined;
  }

  /** The time for an incomplete frame is over. */
  expirePartial(): void {
    this.partialTimer = undefined;
    const { framer, client } = this;
    const { station, program, handling } = client;
    // Its time goes on afterwards; silence that ends a frame has been.
    if (!framer || (station.frozen && !station.framing(program).endsWithSilence)) return;
    // While a handler runs, frames wait for it, not for the peer.
    if (framer.position === this.partialPosition && !handling) framer.expire();
    if (!handling) this.watchPartial(framer);
    client.pump();
  }

  // -- To another process ---------------------------------------------------------------------------------------

  /** What another process goes on from; undefined where a message of a bus waits, which is no bytes any more. */
  save(): SavedReceived | undefined {
    const { framer, waiting = [] } = this;
    const delayed = this.rate?.held;
    if ([delayed, ...waiting].some((received) => received instanceof Spontaneous)) return undefined;
    return {
      framer: framer?.save(),
      delayed: delayed && savedInput(delayed),
      waiting: waiting.map(savedInput),
    };
  }

  /** Goes on from what another process saved, in the framing of this code, which may not be that of the other. */
  restore({ framer, delayed, waiting }: SavedReceived): void {
    const { client } = this;
    const { station, program, connection } = client;
    if (delayed) {
      this.rate = new MessageRate(client, station.limits.messagesPerSecond || 1);
      this.rate.held = receivedFrom(delayed);
    }
    const received = waiting.map(receivedFrom);
    if (station.framed(connection, program)) {
      if (!framer && received.length === 0) return;
      this.framer = station.createFramer(client, program);
      if (framer) this.framer.restore(framer);
      for (const chunk of received) if (chunk instanceof Uint8Array) this.framer.push(chunk);
      return;
    }
    const held = framer && framer.bytes.length > 0 ? [framer.bytes] : [];
    if (held.length + received.length > 0) this.waiting = [...held, ...received];
  }
}

/** The framer refused what came: closes the client. */
export function framingFailed(client: Client, error: Error): void {
  if (error instanceof ScriptError) client.station.scriptFailed('protocol_input', client, error);
  else if (error instanceof MoonwireError) countLimit(client, error);
  client.destroy(error instanceof DisconnectRequest ? new MoonwireError('closed', error.message) : error);
}

function savedInput(received: Received): SavedInput {
  const text = received instanceof TextMessage;
  return { bytes: text ? received.bytes : (received as Uint8Array), text };
}

function receivedFrom({ bytes, text }: SavedInput): Received {
  return text ? new TextMessage(bytes) : bytes;
}

function partialExpired(input: ClientInput): void {
  input.expirePartial();
}
