import t from 'tap';
import { MOST_FIRST_BYTES, spokenIn } from '../../src/transports/firstbytes.js';
import { random } from '../support/random.js';

const BOTH = { tls: true, http: true };
const LONG = `GET /${'a'.repeat(MOST_FIRST_BYTES)}`;

const HTTP = [
  'GET / HTTP/1.1\r\n',
  'POST /a?b=c HTTP/1.0\r\n',
  'OPTIONS * HTTP/1.1\r\n',
  'M-SEARCH * HTTP/1.1\r\n',
  'GET http://gate.example/ HTTP/1.1\r\n',
  'GET /gr\xfc\xdfe HTTP/1.1\r\n',
  'GET / HTTP/9.9\r\n',
  LONG,
];
const OWN = [
  '\x78\x78\x11\x01\x03\x58',
  '*HQ,4106000000,V1#',
  'GET\r\n',
  'GET temperature\r\n',
  'GET  / HTTP/1.1',
  'GET / HTTX',
  'GET /\x00',
  'GET / \r\n',
  'get / HTTP/1.1\r\n',
  'GETS / HTTP/1.1\r\n',
  'POSTPONE it',
  'SUBSCRIBES to something',
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  ' GET / HTTP/1.1\r\n',
  '\r\nGET / HTTP/1.1\r\n',
  '\x16\x04\x01',
  '\x16\x03\x05',
  '\x16\x02',
  '\x00',
];
const TLS = ['\x16\x03\x01\x02\x00\x01', '\x16\x03\x00', '\x16\x03\x03', '\x16\x03\x04'];

t.test('what begins how', async (t) => {
  for (const [spoken, texts] of Object.entries({ http: HTTP, own: OWN, tls: TLS })) {
    for (const text of texts)
      t.equal(spokenIn(Buffer.from(text, 'latin1'), BOTH), spoken, JSON.stringify(text.slice(0, 40)));
  }
});

t.test('only what is looked for is found', async (t) => {
  const tls = Buffer.from(TLS[0]!, 'latin1');
  const http = Buffer.from(HTTP[0]!, 'latin1');
  t.equal(spokenIn(tls, { tls: false, http: true }), 'own');
  t.equal(spokenIn(http, { tls: true, http: false }), 'own');
  t.equal(spokenIn(Buffer.from([0x16]), BOTH), undefined);
  t.equal(spokenIn(Buffer.from([0x16]), { tls: false, http: true }), 'own');
});

t.test('a beginning tells nothing, or what the whole tells', async (t) => {
  for (const text of [...HTTP, ...OWN, ...TLS]) {
    const whole = Buffer.from(text, 'latin1');
    const spoken = spokenIn(whole, BOTH);
    for (let length = 0; length < whole.length; length++) {
      const told = spokenIn(whole.subarray(0, length), BOTH);
      if (told !== undefined && told !== spoken) t.fail(`${length} bytes of ${text}: ${told}`);
    }
  }
  t.equal(spokenIn(Buffer.alloc(0), BOTH), undefined);
});

t.test('after so many bytes it is known, whatever they are', async (t) => {
  const { bytes, below, pick } = random(t);
  for (let round = 0; round < 500; round++) {
    const begin = pick(['', 'G', 'GET ', 'GET /', 'OPTIONS ', '\x16', '\x16\x03']);
    const rest =
      below(2) === 0 ? bytes(MOST_FIRST_BYTES) : bytes(MOST_FIRST_BYTES).map((byte) => 0x21 + (byte % 94));
    const head = Buffer.concat([Buffer.from(begin, 'latin1'), rest]);
    t.not(spokenIn(head, BOTH), undefined, begin);
  }
});
