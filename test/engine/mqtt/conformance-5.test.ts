// What MQTT 5.0 says of servers beyond MQTT 3.1.1, by the numbers of its normative statements (appendix B of the
// standard), as far as server.test.ts and hostile.test.ts do not show it already.

import t from 'tap';
import { until } from '../../support/engine.js';
import { startMqtt } from '../../support/mqtt.js';
import { type Statement, verify } from '../../support/mqtt-statements.js';

const [MALFORMED, PROTOCOL_ERROR] = [0x81, 0x82];

/** Statements whose violation is told by a reason and ends the connection, and the bytes that violate them. */
const VIOLATIONS: [ids: string, says: string, reason: number, ...packets: string[]][] = [
  ['1.5.4-1', 'no surrogates in UTF-8', MALFORMED, '30 07 0003 eda080 00 78'],
  [
    '2.1.3-1',
    'reserved flags',
    MALFORMED,
    '60 02 0001',
    '80 07 0001 00 0001 61 00',
    'a0 06 0001 00 0001 61',
    'e1 00',
  ],
  ['2.2.2.2', 'a property that is none', MALFORMED, '30 06 0001 61 02 7f00'],
  [
    '2.2.2.2',
    'one that belongs to other packets',
    MALFORMED,
    '30 09 0001 61 05 1100000001',
    '82 0a 0001 03 230001 0001 61 00',
  ],
  ['2.2.2.2', 'more properties than the packet holds', MALFORMED, '30 05 0001 61 09 78'],
  [
    '3.3.2.3, 3.8.2.1',
    'a property that comes twice',
    PROTOCOL_ERROR,
    '30 0c 0001 61 08 03000178 03000179',
    '82 0b 0001 04 0b010b02 0001 61 00',
  ],
  ['3.3.4-6', 'a subscription identifier from a client', PROTOCOL_ERROR, '30 06 0001 61 02 0b01'],
  ['3.3.2-14', 'a response topic with a wildcard', PROTOCOL_ERROR, '30 08 0001 61 04 08000123'],
  [
    '3.8.3-4',
    'no local for a shared subscription',
    PROTOCOL_ERROR,
    '82 10 0001 00 000a 2473686172652f672f61 04',
  ],
  [
    '3.8.3-5',
    'reserved bits of the options of a subscription',
    MALFORMED,
    '82 07 0001 00 0001 61 40',
    '82 07 0001 00 0001 61 80',
  ],
  ['3.8.3.1', 'retain handling is 0 to 2', MALFORMED, '82 07 0001 00 0001 61 30'],
  [
    '3.14.2-2',
    'DISCONNECT makes no session last that CONNECT did not',
    PROTOCOL_ERROR,
    'e0 07 00 05 1100000001',
  ],
  ['3.15', 'AUTH without a method at CONNECT', PROTOCOL_ERROR, 'f0 07 18 05 1500027878'],
  ['3.4.2.1', 'a reason code that PUBACK does not have', MALFORMED, '40 03 0001 05'],
];

/** CONNECT with these properties, in hex. */
const connect = (properties: string) => {
  const bytes = properties.length / 2;
  const length = (13 + bytes + 1).toString(16).padStart(2, '0');
  return `10 ${length} 0004 4d515454 05 02 0000 ${bytes.toString(16).padStart(2, '0')} ${properties} 0001 61`;
};

const STATEMENTS: Statement[] = [
  [
    '3.1.2.11, 3.2.2-6',
    'a CONNECT with properties it must not have is refused',
    async (at) => {
      await at.ends(connect('23000a'), '2003008100');
      await at.ends(connect('11000000011100000002'), '2003008200');
      await at.ends(connect('210000'), '2003008200');
      await at.ends(connect('16000161'), '2003008200');
    },
  ],
  [
    '3.1.3-6, 3.1.3-7',
    'a client id is assigned, and told',
    async (at) => {
      const { connack } = await at.connect({ clientId: '' });
      at.t.match(connack.properties?.assignedClientIdentifier, /^moonwire-/);
    },
  ],
  [
    '3.1.2-24, 3.1.2-25',
    'a packet longer than the client takes is dropped, and counts as sent',
    async (at) => {
      const [reader, writer] = [
        await at.connect({ properties: { maximumPacketSize: 100 } }),
        await at.connect(),
      ];
      await reader.subscribe(at.name('x'), 1);
      writer.publish(at.name('x'), 'l'.repeat(100), { qos: 1, messageId: 1 });
      writer.publish(at.name('x'), 'short', { qos: 1, messageId: 2 });
      at.t.equal((await reader.next('publish')).payload.toString(), 'short');
    },
  ],
  [
    '3.3.4-9',
    'no more messages under way than the client takes',
    async (at) => {
      const [reader, writer] = [await at.connect({ properties: { receiveMaximum: 2 } }), await at.connect()];
      await reader.subscribe(at.name('x'), 2);
      for (let n = 1; n <= 5; n++) writer.publish(at.name('x'), `${n}`, { qos: n % 2 ? 1 : 2, messageId: n });
      await writer.settle();
      await reader.settle();
      at.t.equal(reader.packets.length, 2);
      const first = await reader.next('publish');
      reader.send({ cmd: 'puback', messageId: first.messageId! });
      await reader.settle();
      at.t.equal(reader.packets.length, 2, 'another one');
      const second = await reader.next('publish');
      reader.send({ cmd: 'pubrec', messageId: second.messageId!, reasonCode: 0x80 });
      await reader.settle();
      at.t.equal(reader.packets.length, 2, 'one that is refused makes room, too');
    },
  ],
  [
    '3.3.2-5, 3.3.2-6',
    'a message that waited too long is dropped, another told what is left of its time',
    async (at) => {
      const kept = { clientId: at.name('kept'), clean: false, properties: { sessionExpiryInterval: 60 } };
      const reader = await at.connect(kept);
      await reader.subscribe(at.name('x'), 1);
      await at.lose(reader, kept.clientId);
      const writer = await at.connect();
      const publish = (messageId: number, messageExpiryInterval: number) =>
        writer.publish(at.name('x'), `${messageId}`, {
          qos: 1,
          messageId,
          properties: { messageExpiryInterval },
        });
      publish(1, 1);
      publish(2, 100);
      await writer.settle();
      const began = performance.now();
      await until(() => performance.now() - began > 2000);
      const again = await at.connect(kept);
      const { payload, properties } = await again.next('publish');
      at.t.equal(payload.toString(), '2');
      at.t.ok(properties!.messageExpiryInterval! <= 98);
    },
  ],
  [
    '3.3.2-7, 3.3.2-12',
    'an alias stands for its topic in its connection alone',
    async (at) => {
      const [writer, other, reader] = [await at.connect(), await at.connect(), await at.connect()];
      await reader.subscribe(at.name('#'));
      writer.publish(at.name('x'), 'set', { properties: { topicAlias: 16 } });
      writer.publish('', 'used', { properties: { topicAlias: 16 } });
      writer.publish(at.name('y'), 'set anew', { properties: { topicAlias: 16 } });
      writer.publish('', 'used anew', { properties: { topicAlias: 16 } });
      const topics = [];
      for (let n = 0; n < 4; n++) topics.push((await reader.next('publish')).topic);
      at.t.same(
        topics,
        ['x', 'x', 'y', 'y'].map((name) => at.name(name)),
      );
      other.publish('', 'not set', { properties: { topicAlias: 16 } });
      at.t.equal((await other.next('disconnect')).reasonCode, PROTOCOL_ERROR);
    },
  ],
  [
    '3.3.2-4, 3.3.2-17, 3.3.2-18',
    'what a message says of itself is passed on as it is',
    async (at) => {
      const client = await at.connect();
      await client.subscribe(at.name('x'));
      const properties = { payloadFormatIndicator: true, userProperties: { b: ['2', '', '1'], a: 'x' } };
      client.publish(at.name('x'), 'text', { properties });
      const got = await client.next('publish');
      at.t.match(got.properties, properties);
      at.t.same(Object.keys(got.properties!.userProperties!), ['b', 'a']);
    },
  ],
  [
    '3.14.2.2.2',
    'DISCONNECT may end a session that was to be kept',
    async (at) => {
      const kept = { clientId: at.name('kept'), clean: false, properties: { sessionExpiryInterval: 60 } };
      const first = await at.connect(kept);
      first.send({ cmd: 'disconnect', reasonCode: 0, properties: { sessionExpiryInterval: 0 } });
      await first.end();
      await until(() => at.test.engine.mqtt!.find(kept.clientId) === undefined);
      at.t.equal((await at.connect(kept)).connack.sessionPresent, false);
    },
  ],
  [
    '3.5.2.1, 3.6.2.1, 3.7.2.1',
    'answers to ids that nobody knows say so',
    async (at) => {
      const client = await at.connect();
      client.send({ cmd: 'pubrel', messageId: 9 });
      at.t.equal((await client.next('pubcomp')).reasonCode, 0x92);
      client.send({ cmd: 'pubrec', messageId: 9 });
      at.t.equal((await client.next('pubrel')).reasonCode, 0x92);
      client.send({ cmd: 'puback', messageId: 9 });
      client.send({ cmd: 'pubcomp', messageId: 9 });
      await client.settle();
    },
  ],
  [
    '4.13.1-1',
    'other packets than a client sends',
    async (at) => {
      for (const packet of ['20 03 00 00 00', '90 04 0001 00 00', 'b0 04 0001 00 00', 'd0 00'])
        await at.endsClient(packet, PROTOCOL_ERROR);
    },
  ],
];

t.test('MQTT 5.0', async (t) => {
  const test = await startMqtt('');
  t.teardown(test.stop);
  const violations = VIOLATIONS.map(
    ([ids, says, reason, ...packets]): Statement => [
      ids,
      says,
      async (at) => {
        for (const packet of packets) await at.endsClient(packet, reason);
      },
    ],
  );
  await verify(t, test, 5, [...violations, ...STATEMENTS]);
});
