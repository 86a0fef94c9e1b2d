/**
 * Proofs of a join (design §9): an Ed25519 signature proves a key, an HMAC the knowledge of the join token. Both
 * are over a transcript of the exchange, so that none is worth anything in another one:
 *
 * - the nonces of both ends are fresh, so a recorded proof fails;
 * - the context ("join", "mesh") and the role of the signer are part of it, so a proof made for one purpose, or by
 *   the other end, fails for another;
 * - every part is preceded by its length, so no two exchanges have the same transcript.
 */

import {
  createHmac,
  createPublicKey,
  type KeyObject,
  randomBytes,
  sign as signBytes,
  timingSafeEqual,
  verify,
} from 'node:crypto';

/** What is being joined: a centre, or a session between engines. */
export type ProofContext = 'moonwire join v1' | 'moonwire mesh v1';
/** Who proves: the end that dialled, the one that accepted, or the holder of the join token. */
export type ProofRole = 'dialer' | 'acceptor' | 'token';

/** What both ends know of their exchange. */
export interface Exchange {
  readonly context: ProofContext;
  /** Name, key (32 bytes) and nonce (32 bytes) in the hello of the end that dialled. */
  readonly name: string;
  readonly key: Uint8Array;
  readonly nonce: Uint8Array;
  /** Nonce of the challenge, and the acceptor's key where it has one (between engines). */
  readonly challenge: Uint8Array;
  readonly acceptorKey?: Uint8Array | undefined;
}

const NONCE_BYTES = 32;
const NOTHING = new Uint8Array(0);

/** 32 random bytes. */
export function newNonce(): Buffer {
  return randomBytes(NONCE_BYTES);
}

/** The signature of an exchange, 64 bytes, by the holder of an Ed25519 private key. */
export function sign(exchange: Exchange, role: ProofRole, privateKey: KeyObject): Buffer {
  return signBytes(null, transcript(exchange, role), privateKey);
}

/** Whether `signature` is that of the holder of `publicKey` (32 bytes) over this exchange. Never throws. */
export function isSigned(
  exchange: Exchange,
  role: ProofRole,
  publicKey: Uint8Array,
  signature: Uint8Array,
): boolean {
  try {
    const x = Buffer.from(publicKey).toString('base64url');
    const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
    return verify(null, transcript(exchange, role), key, signature);
  } catch {
    // Not every 32 bytes are a key.
    return false;
  }
}

/** The proof that its sender knows the join token: HMAC-SHA256, 32 bytes. */
export function proveToken(exchange: Exchange, token: string): Buffer {
  return createHmac('sha256', token).update(transcript(exchange, 'token')).digest();
}

/** Whether `proof` was made with this token; compares in constant time. */
export function isTokenProved(exchange: Exchange, token: string, proof: Uint8Array): boolean {
  const expected = proveToken(exchange, token);
  return proof.length === expected.length && timingSafeEqual(expected, proof);
}

/** Whether two keys are the same; in constant time. */
export function isSameKey(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

/** What is signed. Each part: its length in 4 bytes, big endian, then its bytes. */
function transcript(exchange: Exchange, role: ProofRole): Buffer {
  const parts = [
    Buffer.from(exchange.context),
    Buffer.from(role),
    Buffer.from(exchange.name),
    exchange.key,
    exchange.nonce,
    exchange.challenge,
    exchange.acceptorKey ?? NOTHING,
  ];
  return Buffer.concat(
    parts.flatMap((part) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(part.length);
      return [length, part];
    }),
  );
}
