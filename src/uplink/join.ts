/** The engine's side of a join (design §9). */

import type { KeyObject } from 'node:crypto';
import { MoonwireError } from '../errors.js';
import type { MessageStream } from './message-stream.js';
import { JOIN_VERSION, type Message, type WelcomeMessage } from './messages.js';
import { type Exchange, newNonce, proveToken, sign } from './proof.js';

/** Who joins. */
export interface Joiner {
  readonly name: string;
  /** Ed25519 public key, 32 bytes, and the private key to it. */
  readonly publicKey: Uint8Array;
  readonly privateKey: KeyObject;
  /** The node number it has, 0 for none. */
  readonly node: number;
  readonly version: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly joinToken?: string | undefined;
  /** Advertised mesh point and API, "host:port"; an empty host is the address the centre sees. */
  readonly mesh?: string | undefined;
  readonly api?: string | undefined;
  /** Seconds of silence after which the centre may count it as dead. */
  readonly silence: number;
}

/** The centre answered, and said no. */
export class JoinRefused extends Error {
  override readonly name = 'JoinRefused';

  constructor(
    /** One of {@link REFUSALS}, or a newer one. */
    readonly code: string,
    text: string,
  ) {
    super(`refused (${code}): ${text}`);
  }
}

/**
 * Joins over a fresh control stream. `welcomed` is called in the turn the welcome came, so that no message after it
 * is missed: it takes over `onmessage` and `onclose`. Rejects with {@link JoinRefused}, or a MoonwireError when the
 * stream ended or spoke otherwise than a centre does.
 */
export function join(
  control: MessageStream,
  joiner: Joiner,
  welcomed: (welcome: WelcomeMessage) => void,
): Promise<void> {
  const { name, publicKey, node, version, labels, mesh, api, silence } = joiner;
  const nonce = newNonce();
  return new Promise((resolve, reject) => {
    let proved = false;
    control.onclose = (error) => {
      const reason = error ? `the centre ended the join: ${error.message}` : 'the centre ended the join';
      reject(new MoonwireError('not_connected', reason));
    };
    control.onmessage = (message) => {
      if (message.t === 'refused') {
        reject(new JoinRefused(message.code, message.text));
      } else if (message.t === 'challenge' && !proved) {
        proved = true;
        const exchange: Exchange = {
          context: 'moonwire join v1',
          name,
          key: publicKey,
          nonce,
          challenge: message.nonce,
        };
        control.send(proof(exchange, joiner));
      } else if (message.t === 'welcome' && proved) {
        welcomed(message);
        resolve();
      } else {
        reject(new MoonwireError('decode_error', `a message ${message.t} out of place in a join`));
      }
    };
    control.send({
      t: 'hello',
      v: JOIN_VERSION,
      name,
      key: publicKey,
      nonce,
      version,
      labels,
      silence,
      ...(mesh !== undefined && { mesh }),
      ...(api !== undefined && { api }),
      ...(node > 0 && { node }),
    });
  });
}

/** The token goes along always: the engine cannot know whether the centre still knows its key. */
function proof(exchange: Exchange, { privateKey, joinToken }: Joiner): Message {
  return {
    t: 'prove',
    sig: sign(exchange, 'dialer', privateKey),
    ...(joinToken !== undefined && { token: proveToken(exchange, joinToken) }),
  };
}
