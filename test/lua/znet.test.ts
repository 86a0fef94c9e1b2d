import { readFileSync } from 'node:fs';
import t from 'tap';
import { abuseProtocol } from '../support/abuse.js';
import { Device, startTestEngine, until } from '../support/engine.js';
import { splits, unhex } from '../support/framing.js';
import { ProtocolUnderTest } from '../support/protocol.js';
import { random } from '../support/random.js';
import { vectors } from '../support/vectors.js';

interface Case {
  name: string;
  type: string;
  hex: string;
  message_without_length_hex?: string;
  expect: { computed: { action?: number; seq?: number; body_ascii?: string } };
}
const cases = vectors<Case>('znet');
const packets = cases.filter(({ type }) => type === 'tcp packet');
const znet = new ProtocolUnderTest('protocols.znet');
const datagram = new ProtocolUnderTest('protocols.znet', 'datagram', znet.vm);

const message = ({ expect: { computed } }: Case) => ({
  type: 'packet',
  action: computed.action,
  sequence: computed.seq,
  body: computed.body_ascii,
});

t.test('packets of the vectors', async (t) => {
  const rng = random(t);
  for (const vector of packets) {
    t.strictSame(znet.feed([unhex(vector.hex)]).messages, [message(vector)], vector.name);
    t.strictSame(datagram.peer().decode(unhex(vector.message_without_length_hex!)).messages, [
      message(vector),
    ]);
    const { action, sequence, body } = message(vector);
    const source = `{ action = ${action}, sequence = ${sequence}, body = [==[${body}]==] }`;
    t.equal(znet.peer().encode(source), vector.hex);
    t.equal(datagram.peer().encode(source), vector.message_without_length_hex);
  }
  for (const chunks of splits(unhex(packets.map(({ hex }) => hex).join('')), rng)) {
    t.strictSame(znet.feed(chunks).messages, packets.map(message));
  }
});

t.test('what is no packet', async (t) => {
  const good = packets[0]!;
  for (const vector of cases.filter(({ type }) => type === 'tcp reject')) {
    const { messages, errors, discarded } = znet.feed([unhex(vector.hex + good.hex)]);
    t.ok(errors.length + discarded > 0, vector.name);
    t.strictSame(messages, [message(good)], 'the good frame behind it');
  }
  t.strictSame(datagram.peer().decode(unhex('000100')).errors, ['too short']);
  t.match(znet.peer().encode('{ action = 40000 }'), /-32768 to 32767/);
  t.match(znet.peer().encode('{ action = 1, body = 7 }'), /body must be a string/);
  t.match(znet.peer().encode('7'), /a packet is a table/);
  abuseProtocol(
    t,
    znet,
    packets.map(({ hex }) => unhex(hex)),
    400,
  );
  abuseProtocol(
    t,
    datagram,
    packets.map(({ hex }) => unhex(hex)),
    200,
  );
});

t.test('the router calls functions by action, and its replies carry the sequence', async (t) => {
  const file = (path: string) => readFileSync(`lua/${path}`, 'utf8');
  const engine = await startTestEngine(
    {
      'protocols/znet.lua': file('protocols/znet.lua'),
      'utils/router.lua': file('utils/router.lua'),
      'game.proto': readFileSync('test/codecs/schemas/sub/units.proto', 'utf8').replace(
        'enum Unit',
        'message Move { int32 x = 1; }\nenum Unit',
      ),
      'entry.lua': `
        protocol = require "protocols.znet"
        local json = require("utils.router").new {}
        local protobuf = require("utils.router").new { schema = "game.proto" }
        json:on(1, function(params) return { hello = params.name } end)
        json:on(2, function() end)
        json:on(3, function() return nil, "not today" end)
        protobuf:on(100, function(params) return { x = params.x + 1 } end, { request = "units.Move", response = "units.Move" })
        function on_message(msg, conn)
          local ok, err = (msg.action >= 100 and protobuf or json):handle(msg, conn)
          if not ok then mix.log(mix.WARN, err) end
        end`,
    },
    'servers: [{ name: s, port: 0, bind: 127.0.0.1, entry: entry.lua }]',
  );
  t.teardown(() => engine.stop());
  const device = await Device.connect(engine.port());
  const send = (source: string) => device.send(unhex(znet.peer().encode(source)));
  for (const source of [
    `{ action = 2, sequence = 1, body = "" }`,
    `{ action = 3, sequence = 2, body = "{}" }`,
    `{ action = 1, sequence = 3, body = "{" }`,
    `{ action = 9, sequence = 4 }`,
    `{ action = 100, sequence = 5, body = "\\x08\\x63" }`,
    `{ action = 100, sequence = 6, body = "\\x08" }`,
    `{ action = 1, sequence = 7, body = '{"name":"a"}' }`,
  ]) {
    send(source);
  }
  await until(() => device.received.includes('hello'));
  t.match(znet.feed([device.received]).messages, [
    { action: 100, sequence: 5, body: '\x08d' },
    { action: 1, sequence: 7, body: '{"hello":"a"}' },
  ]);
  const warnings = engine.log.filter(({ level }) => level === 'warn').map(({ message }) => message);
  t.equal(warnings.length, 4);
  t.match(warnings, ['not today', /decode_error/, 'no route for action 9', /decode_error: Move/]);
});
