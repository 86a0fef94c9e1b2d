/** The centre's side of a join (design §9): who may come in, and under which node number. */

import { MoonwireError, messageOf } from '../errors.js';
import { TokenBucket } from '../transports/tokenbucket.js';
import type { MessageStream } from '../uplink/message-stream.js';
import {
  type HelloMessage,
  JOIN_VERSION,
  type ProveMessage,
  REFUSALS,
  type Refusal,
} from '../uplink/messages.js';
import { type Exchange, isSameKey, isSigned, isTokenProved, newNonce } from '../uplink/proof.js';
import type { Pin, Pins } from './pins.js';

/** A join that is refused; `code` is told to the engine. */
export class Refused extends Error {
  override readonly name = 'Refused';

  constructor(
    readonly code: Refusal,
    text: string = REFUSALS[code],
  ) {
    super(text);
  }
}

/** Who may join. */
export interface DoorOptions {
  readonly pins: Pins;
  /** What an unknown key must prove to know; without one every key is taken in. */
  readonly joinToken?: string | undefined;
  /** Keys that need no token: those of engines in the same process. */
  readonly trustedKeys?: readonly Uint8Array[] | undefined;
  /** Joins a second, of known engines and as many again of others. */
  readonly joinsPerSecond: number;
  /** Whether an engine may come in; `node` is its number if it has one, and it may be here already. */
  hasRoom(node: number | undefined): boolean;
}

/** Decides about joins. */
export class Door {
  /** Apart, so that strangers cannot use up what a thousand engines need that return after a failure. */
  private readonly known: TokenBucket;
  private readonly unknown: TokenBucket;

  constructor(private readonly options: DoorOptions) {
    this.known = new TokenBucket(options.joinsPerSecond);
    this.unknown = new TokenBucket(options.joinsPerSecond);
  }

  /**
   * Goes through a join over a fresh control stream, up to the proof. Resolves to the hello and the pin; rejects with
   * {@link Refused}, or with what ended the stream.
   */
  receive(control: MessageStream): Promise<{ hello: HelloMessage; pin: Pin }> {
    return new Promise((resolve, reject) => {
      const challenge = newNonce();
      let hello: HelloMessage | undefined;
      let proved = false;
      control.onclose = (error) => reject(error ?? new MoonwireError('closed', 'it went away'));
      control.onmessage = (message) => {
        if (message.t === 'hello' && !hello) {
          hello = message;
          const refusal = this.greet(hello);
          if (refusal) reject(refusal);
          else control.send({ t: 'challenge', nonce: challenge, time: Date.now() / 1000 });
        } else if (message.t === 'prove' && hello && !proved) {
          proved = true;
          const greeted = hello;
          this.check(greeted, challenge, message).then((pin) => resolve({ hello: greeted, pin }), reject);
        } else {
          reject(new Refused('bad_hello', `a message ${message.t} out of place in a join`));
        }
      };
    });
  }

  private greet({ v, name, key }: HelloMessage): Refused | undefined {
    if (v !== JOIN_VERSION) {
      return new Refused('bad_hello', `the join has version ${JOIN_VERSION} here, not ${v}`);
    }
    const pin = this.options.pins.named(name);
    const bucket = pin && isSameKey(pin.key, key) ? this.known : this.unknown;
    return bucket.take() ? undefined : new Refused('overloaded');
  }

  private async check(
    hello: HelloMessage,
    challenge: Uint8Array,
    { sig, token }: ProveMessage,
  ): Promise<Pin> {
    const { pins, joinToken, trustedKeys, hasRoom } = this.options;
    const { name, key, nonce, node } = hello;
    const exchange: Exchange = { context: 'moonwire join v1', name, key, nonce, challenge };
    if (!isSigned(exchange, 'dialer', key, sig)) throw new Refused('bad_proof');
    const pin = pins.named(name);
    if (pin && !isSameKey(pin.key, key)) throw new Refused('name_taken');
    if (!pin && !pins.ofKey(key) && joinToken !== undefined) {
      const trusted = trustedKeys?.some((one) => isSameKey(one, key)) === true;
      const proved = token !== undefined && isTokenProved(exchange, joinToken, token);
      if (!trusted && !proved) throw new Refused('bad_token');
    }
    if (!hasRoom(pin?.node)) throw new Refused('overloaded');
    try {
      return pin ?? (await pins.pin(name, key, node));
    } catch (error) {
      throw new Refused('overloaded', messageOf(error));
    }
  }
}
