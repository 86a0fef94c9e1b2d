import t from 'tap';
import { abuseProtocol } from '../support/abuse.js';
import { hex, splits, unhex } from '../support/framing.js';
import { type Message, ProtocolUnderTest } from '../support/protocol.js';
import { random } from '../support/random.js';
import { vectors } from '../support/vectors.js';

interface Case {
  name: string;
  type: string;
  hex?: string;
  expect: {
    stated: { rejected?: string };
    computed?: {
      type: string;
      code: string;
      message_id: number;
      token_hex: string;
      options: [number, string][];
    };
  };
}
const cases = vectors<Case>('coap');
const coap = new ProtocolUnderTest('protocols.coap');
const tcp = new ProtocolUnderTest('protocols.coap', 'tcp', coap.vm);
const bytesOf = (value: unknown) => (typeof value === 'string' ? Buffer.from(value) : (value as Uint8Array));
const optionsOf = (message: Message) =>
  (message.options as { number: number; value: unknown }[]).map(({ number, value }) => [
    number,
    hex(bytesOf(value)),
  ]);

t.test('messages of the vectors', async (t) => {
  for (const { name, type, hex: digits, expect } of cases) {
    if (!digits || type === 'tcp') continue;
    const { messages, errors } = coap.peer().decode(unhex(digits));
    if (expect.stated.rejected) {
      t.strictSame(messages, [], name);
      t.match(errors, [/decode_error: CoAP/], name);
      continue;
    }
    const { computed } = expect;
    const { transmission, code, message_id, token } = messages[0]!;
    t.strictSame(
      [transmission, code, message_id, hex(bytesOf(token)), optionsOf(messages[0]!)],
      [computed!.type, computed!.code, computed!.message_id, computed!.token_hex, computed!.options],
      name,
    );
  }
  const good = cases.flatMap(({ hex: digits }) => (digits ? [unhex(digits)] : []));
  abuseProtocol(t, coap, good, 400);
  abuseProtocol(t, tcp, good, 400);
});

t.test('requests, answers and acknowledgements', async (t) => {
  const request = '420112346162b161016243713d31';
  const peer = coap.peer();
  const { messages, replies } = peer.decode(unhex(request));
  t.match(messages, [
    { type: 'request', method: 'GET', path: 'a/b', query: 'q=1', token: 'ab', transmission: 'CON' },
  ]);
  t.strictSame(replies, ['60001234'], 'a confirmable request that nobody answered');
  t.strictSame(coap.peer().decode(unhex('40001234')).replies, ['70001234'], 'a ping');
  t.strictSame(coap.peer().decode(unhex('50011234')).replies, [], 'not confirmable');

  const answer =
    '{ to = { transmission = "CON", message_id = 0x1234, token = "ab" }, code = "2.05", content_format = 50, payload = "1" }';
  t.equal(peer.encode(answer), '524500016162c132ff31', 'after the acknowledgement: a message of its own');
  const [answered] = coap.vm.execute(
    `local coap, session = require "protocols.coap", {}
     local msg = coap.decode(mix.unhex "${request}", session)
     local sent = coap.encode({ to = msg, code = "2.05", payload = "1" }, session)
     return mix.hex(sent) .. " " .. tostring(coap.reply(msg, session))`,
    '@test',
  );
  t.equal(answered, '624512346162ff31 nil', 'within on_message: on the acknowledgement');
  t.equal(
    peer.encode('{ code = "GET", path = "x/y", query = "a=1", observe = 0, message_id = 5 }'),
    '40010005605178017943613d31',
  );
  t.match(peer.encode('{}'), /code is missing/);
  t.match(peer.encode('7'), /a message is a table/);
  t.match(coap.peer().decode(unhex('44450001 01020304 623039 60 ff78'.replaceAll(' ', ''))).messages, [
    { type: 'response', observe: 0x3039, content_format: 0 },
  ]);
});

t.test('over TCP', async (t) => {
  const rng = random(t);
  const sent = ['', 'x', 'x'.repeat(20), 'x'.repeat(300), 'x'.repeat(66_000)].map((payload) =>
    tcp.peer().encode(`{ code = "POST", path = "p", token = "abc", payload = ("x"):rep(${payload.length}) }`),
  );
  const short = sent.slice(0, 4);
  for (const chunks of splits(unhex(`010101${short.join('')}`), rng)) {
    const { messages, errors } = tcp.feed(chunks);
    t.strictSame(errors, []);
    t.match(messages, [
      { code: '0.01', token: '\x01' },
      ...short.map(() => ({ method: 'POST', path: 'p', token: 'abc' })),
    ]);
  }
  t.match(tcp.peer().decode(unhex(sent[4]!)).messages, [{ payload: 'x'.repeat(66_000) }]);
  t.match(tcp.feed([unhex('00e1')]).messages, [{ type: 'signal', code: '7.01' }]);
  t.throws(() => tcp.feed([unhex('f0ffffffff0100')]), { name: 'DisconnectRequest' });
});
