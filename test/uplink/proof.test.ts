import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import t from 'tap';
import {
  type Exchange,
  isSigned,
  isTokenProved,
  newNonce,
  type ProofRole,
  proveToken,
  sign,
} from '../../src/uplink/proof.js';

function keyPair(): { publicKey: Buffer; privateKey: KeyObject } {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  return { publicKey: Buffer.from(publicKey.export({ format: 'jwk' }).x!, 'base64url'), privateKey };
}

const { publicKey, privateKey } = keyPair();
const other = keyPair();
const exchange: Exchange = {
  context: 'moonwire join v1',
  name: 'barn-3',
  key: publicKey,
  nonce: newNonce(),
  challenge: newNonce(),
};
/** Every exchange that differs from the first in one part. */
const others: [what: string, exchange: Exchange, role: ProofRole][] = [
  ['context', { ...exchange, context: 'moonwire mesh v1' }, 'dialer'],
  ['name', { ...exchange, name: 'barn-4' }, 'dialer'],
  ['key', { ...exchange, key: other.publicKey }, 'dialer'],
  ['nonce', { ...exchange, nonce: newNonce() }, 'dialer'],
  ['challenge', { ...exchange, challenge: newNonce() }, 'dialer'],
  ['acceptor', { ...exchange, acceptorKey: other.publicKey }, 'dialer'],
  ['role', exchange, 'acceptor'],
];

t.test('a signature proves one key in one exchange', async (t) => {
  const signature = sign(exchange, 'dialer', privateKey);
  t.equal(signature.length, 64);
  t.ok(isSigned(exchange, 'dialer', publicKey, signature));
  t.notOk(isSigned(exchange, 'dialer', other.publicKey, signature));
  for (const [what, changed, role] of others) t.notOk(isSigned(changed, role, publicKey, signature), what);
  for (let bit = 0; bit < 512; bit += 37) {
    const changed = Buffer.from(signature);
    changed[bit >> 3]! ^= 1 << (bit & 7);
    t.notOk(isSigned(exchange, 'dialer', publicKey, changed), `bit ${bit}`);
  }
});

t.test('what is no key or no signature proves nothing', async (t) => {
  for (const key of [Buffer.alloc(32, 0xff), Buffer.alloc(31), Buffer.alloc(0)]) {
    t.notOk(isSigned(exchange, 'dialer', key, sign(exchange, 'dialer', privateKey)));
  }
  t.notOk(isSigned(exchange, 'dialer', publicKey, Buffer.alloc(0)));
});

t.test('a token proves itself in one exchange', async (t) => {
  const proof = proveToken(exchange, 'secret');
  t.equal(proof.length, 32);
  t.ok(isTokenProved(exchange, 'secret', proof));
  t.notOk(isTokenProved(exchange, 'Secret', proof));
  t.notOk(isTokenProved(exchange, 'secret', proof.subarray(1)));
  for (const [what, changed, role] of others) {
    if (role === 'dialer') t.notOk(isTokenProved(changed, 'secret', proof), what);
  }
});

t.test('parts cannot slide into each other', async (t) => {
  const a = sign({ ...exchange, name: 'a', key: Buffer.from('bc') }, 'dialer', privateKey);
  t.notOk(isSigned({ ...exchange, name: 'ab', key: Buffer.from('c') }, 'dialer', publicKey, a));
});
