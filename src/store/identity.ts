/**
 * Who this engine is (design §9 "Join", "Client id"): its Ed25519 key, its node number, its store's epoch.
 */

import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto';
import { MoonwireError, messageOf } from '../errors.js';
import type { Logger } from '../log.js';
import { NODES } from './ids.js';
import type { KeyValue } from './keyvalue.js';

const KEY = 'key';
const NODE = 'node';
const EPOCH = 'epoch';

/** 48 random bits as a number. */
export function drawEpoch(): number {
  return randomBytes(6).readUIntBE(0, 6);
}

/** The identity kept in a store. */
export class Identity {
  /** Ed25519 public key, 32 bytes. */
  readonly publicKey: Buffer;

  private constructor(
    private readonly map: KeyValue,
    /** Ed25519 private key. */
    readonly privateKey: KeyObject,
    /** Drawn when the store was created: another one means that the store was replaced. */
    readonly storeEpoch: number,
    private leased: number,
  ) {
    this.publicKey = Buffer.from(createPublicKey(privateKey).export({ format: 'jwk' }).x!, 'base64url');
  }

  /** Reads the identity, or makes one when there is none that can be read. */
  static open(map: KeyValue, log: Logger): Identity {
    const epoch = readNumber(map, EPOCH, 6) ?? drawEpoch();
    void map.set(EPOCH, numberBytes(epoch, 6));
    const node = readNumber(map, NODE, 4) ?? 0;
    return new Identity(map, readKey(map, log) ?? makeKey(map), epoch, node);
  }

  /** The node number: 0 until the centre has leased one. */
  get node(): number {
    return this.leased;
  }

  /** Keeps a leased node number (1 to 2^20-1); resolves and rejects as {@link KeyValue.set} does. */
  setNode(node: number): Promise<void> {
    if (!Number.isInteger(node) || node < 1 || node >= NODES) {
      throw new MoonwireError('invalid_argument', `a node number is from 1 to ${NODES - 1}, got ${node}`);
    }
    this.leased = node;
    return this.map.set(NODE, numberBytes(node, 4));
  }
}

function readKey(map: KeyValue, log: Logger): KeyObject | undefined {
  const der = map.get(KEY);
  if (!der) return undefined;
  try {
    const key = createPrivateKey({ key: Buffer.from(der), format: 'der', type: 'pkcs8' });
    if (key.asymmetricKeyType === 'ed25519') return key;
    log.error('the stored key is not an Ed25519 key; a new one is made');
  } catch (error) {
    log.error('the stored key cannot be read; a new one is made', { reason: messageOf(error) });
  }
  return undefined;
}

function makeKey(map: KeyValue): KeyObject {
  const { privateKey } = generateKeyPairSync('ed25519');
  void map.set(KEY, privateKey.export({ format: 'der', type: 'pkcs8' }));
  return privateKey;
}

function readNumber(map: KeyValue, key: string, length: number): number | undefined {
  const bytes = map.get(key);
  return bytes?.length === length ? Buffer.from(bytes).readUIntBE(0, length) : undefined;
}

function numberBytes(value: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  bytes.writeUIntBE(value, 0, length);
  return bytes;
}
