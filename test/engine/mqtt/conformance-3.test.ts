// What MQTT 3.1.1 says of servers, by the numbers of its normative statements (appendix B of the standard). Those on
// clients alone, and those that nobody can see from outside, are left out.

import type { Packet } from 'mqtt-packet';
import t from 'tap';
import { WebSocket } from 'ws';
import { Device, startTestEngine, until } from '../../support/engine.js';
import { hex, type Site, type Statement, verify } from '../../support/mqtt-statements.js';

const CONNECT = '10 0d 0004 4d515454 04 02 0000 0001 61';
const PINGREQ = 'c000';
const SCRIPT = `
  function on_authorize(action, topic) return not topic:find("forbidden") end
  function on_message(msg) if msg.topic == "after/refusal" then print("handled") end end`;

const text = ({ payload }: { payload: string | Buffer }) => payload.toString();
const gone = (topic: string, more = {}) => ({
  will: { topic, payload: Buffer.from('gone'), qos: 1 as const, retain: false, ...more },
});

/** A subscriber and a publisher. */
async function pair(site: Site, filter: string, qos: 0 | 1 | 2 = 0) {
  const [reader, writer] = [await site.connect(), await site.connect()];
  site.t.equal(await reader.subscribe(filter, qos), qos);
  return { reader, writer };
}

/** Statements whose violation ends the connection, and the bytes that violate them. */
const VIOLATIONS: [ids: string, says: string, ...packets: string[]][] = [
  ['1.5.3-1', 'no surrogates in UTF-8', '30 06 0003 eda080 78', '82 08 0001 0003 eda080 00'],
  ['1.5.3-2', 'no U+0000 in UTF-8', '30 06 0003 610061 78'],
  ['2.2.2-2, 3.6.1-1', 'PUBREL has the flags 0010', '60 02 0001'],
  ['2.2.2-2, 3.8.1-1', 'SUBSCRIBE has the flags 0010', '80 06 0001 0001 61 00'],
  ['2.2.2-2, 3.10.1-1', 'UNSUBSCRIBE has the flags 0010', 'a0 05 0001 0001 61'],
  ['2.2.2-2, 3.14.1-1', 'DISCONNECT has no flags', 'e1 00'],
  ['2.2.2-2', 'PINGREQ and PUBACK have no flags', 'c1 00', '41 02 0001'],
  ['2.3.1-1', 'ids are not 0', '32 06 0001 61 0000 78', '82 06 0000 0001 61 00', 'a2 05 0000 0001 61'],
  ['3.1.0-2', 'there is no second CONNECT', CONNECT],
  ['3.3.1-4', 'there is no QoS 3', '36 06 0001 61 0001 78'],
  ['3.3.2-2', 'a topic name has no wildcard', '30 04 0001 23 78', '30 06 0003 612f2b 78'],
  ['3.8.3-1', 'a filter is UTF-8', '82 07 0001 0002 c328 00'],
  ['3.8.3-3', 'SUBSCRIBE has a filter', '82 02 0001'],
  [
    '3.8.3-4',
    'the upper bits of a requested QoS are 0, and it is not 3',
    '82 06 0001 0001 61 04',
    '82 06 0001 0001 61 03',
  ],
  ['3.10.3-2', 'UNSUBSCRIBE has a filter', 'a2 02 0001'],
  ['4.7.3-1', 'a topic name has a character', '30 03 0000 78'],
  [
    '4.8.0-1',
    'packets for clients, unknown packets',
    '20 02 0000',
    '90 03 0001 00',
    'b0 02 0001',
    'd0 00',
    '00 00',
    'f0 00',
  ],
  ['4.8.0-1', 'a packet holds what it says', '30 02 0005', '40 01 00', '82 05 0001 0009 61', 'c0 01 00'],
];

const CONNECTS: Statement[] = [
  ['3.1.0-1', 'CONNECT comes first', (at) => at.ends(PINGREQ)],
  ['3.1.2-1', 'another protocol is not served', (at) => at.ends('10 0d 0004 4d515458 04 02 0000 0001 61')],
  [
    '3.1.2-2',
    'an unknown level is refused by 1',
    (at) => at.ends('10 0d 0004 4d515454 09 02 0000 0001 61', '20020001'),
  ],
  ['3.1.2-3', 'the reserved flag is 0', (at) => at.ends('10 0d 0004 4d515454 04 03 0000 0001 61')],
  [
    '3.1.2-11, 3.1.2-13, 3.1.2-15',
    'without a will neither its QoS nor its retain flag',
    async (at) => {
      await at.ends('10 0d 0004 4d515454 04 0a 0000 0001 61');
      await at.ends('10 0d 0004 4d515454 04 22 0000 0001 61');
    },
  ],
  ['3.1.2-14', 'a will of QoS 3', (at) => at.ends('10 13 0004 4d515454 04 1e 0000 0001 61 0001 62 0001 63')],
  [
    '3.1.2-9, 3.1.4-1',
    'a will that is announced is there',
    (at) => at.ends('10 0d 0004 4d515454 04 06 0000 0001 61'),
  ],
  [
    '3.1.2-22',
    'no password without a user name',
    (at) => at.ends('10 10 0004 4d515454 04 42 0000 0001 61 0001 70'),
  ],
  ['3.1.3-4', 'a client id is UTF-8', (at) => at.ends('10 0e 0004 4d515454 04 02 0000 0002 c328')],
  [
    '3.1.3-10',
    'the topic of a will is UTF-8',
    (at) => at.ends('10 14 0004 4d515454 04 06 0000 0001 61 0002 c328 0001 63'),
  ],
  ['3.1.3-11', 'a user name is UTF-8', (at) => at.ends('10 11 0004 4d515454 04 82 0000 0001 61 0002 c328')],
  [
    '3.1.3-5',
    'client ids of 1 to 23 letters and digits are taken',
    async (at) => {
      for (const clientId of [
        '0',
        'abcdefghijklmnopqrstuvw',
        'ABCDEFGHIJKLMNOPQRSTUVW',
        '01234567890123456789xyz',
      ])
        at.t.equal((await at.connect({ clientId })).connack.returnCode, 0);
    },
  ],
  [
    '3.1.3-6',
    'a client without an id gets one of its own',
    async (at) => {
      const both = [await at.connect({ clientId: '' }), await at.connect({ clientId: '' })];
      for (const client of both) await client.settle();
    },
  ],
  [
    '3.1.3-8, 3.2.2-4, 3.2.2-5',
    'one to be kept needs an id: 2',
    (at) => at.ends('10 0c 0004 4d515454 04 00 0000 0000', '20020002'),
  ],
  [
    '3.1.4-2',
    'the newest connection of a client id stays',
    async (at) => {
      const [first, second] = [
        await at.connect({ clientId: 'twice' }),
        await at.connect({ clientId: 'twice' }),
      ];
      await first.end();
      await second.settle();
    },
  ],
  [
    '3.1.4-5',
    'nothing is done for a client that was refused',
    async (at) => {
      const publish = '30 0f 000d 61667465722f7265667573616c';
      await at.ends(`10 0c 0004 4d515454 04 00 0000 0000 ${publish}`, '20020002');
      at.t.notOk(at.test.log.some(({ message }) => message === 'handled'));
    },
  ],
  [
    '3.2.0-1',
    'CONNACK comes first, though a packet follows CONNECT at once',
    async (at) => {
      const device = await Device.connect(at.test.port());
      device.send(hex(`10 0c 0004 4d515454 04 02 0000 0000 ${PINGREQ}`));
      await until(() => device.received.length === 6);
      at.t.equal(device.received.toString('hex'), '20020000d000');
      device.socket.destroy();
    },
  ],
  [
    '3.1.2-24',
    'a client is gone after one and a half times its keep-alive',
    async (at) => {
      const began = Date.now();
      await (await at.connect({ keepalive: 1 })).end();
      at.t.ok(Date.now() - began >= 1500);
    },
  ],
];

const SESSIONS: Statement[] = [
  [
    '3.1.2-4, 3.1.2-5, 3.2.2-2, 4.4.0-1',
    'a session is kept, with what waits for it',
    async (at) => {
      const kept = { clientId: at.name('kept'), clean: false };
      const first = await at.connect(kept);
      at.t.equal(first.connack.sessionPresent, false);
      await first.subscribe(at.name('x'), 2);
      await at.lose(first, kept.clientId);
      const writer = await at.connect();
      for (const qos of [1, 2] as const) writer.publish(at.name('x'), `${qos}`, { qos, messageId: qos });
      await writer.settle();
      const second = await at.connect(kept);
      at.t.equal(second.connack.sessionPresent, true);
      const got = [await second.next('publish'), await second.next('publish')];
      at.t.same(
        got.map(({ qos, payload }) => [qos, payload.toString()]),
        [
          [1, '1'],
          [2, '2'],
        ],
      );
      await at.lose(second, kept.clientId);
      const third = await at.connect(kept);
      const again = [await third.next('publish'), await third.next('publish')];
      at.t.same(
        again.map(({ messageId, dup }) => [messageId, dup]),
        got.map(({ messageId }) => [messageId, true]),
      );
    },
  ],
  [
    '3.1.2-6, 3.1.4-3, 3.2.2-1',
    'a clean session begins and leaves nothing',
    async (at) => {
      const clientId = at.name('c');
      const first = await at.connect({ clientId, clean: false });
      await first.subscribe(at.name('x'), 1);
      const clean = await at.connect({ clientId, clean: true });
      at.t.equal(clean.connack.sessionPresent, false);
      await clean.subscribe(at.name('y'), 1);
      await at.lose(clean, clientId);
      at.t.equal((await at.connect({ clientId, clean: false })).connack.sessionPresent, false);
      at.t.notOk([...at.test.engine.channels.names()].some((name) => name.startsWith(at.name(''))));
    },
  ],
  [
    '3.1.2-7',
    'a retained message outlives the session of who sent it',
    async (at) => {
      const writer = await at.connect({ clientId: at.name('w') });
      writer.publish(at.name('r'), 'kept', { retain: true });
      await writer.settle();
      await at.lose(writer, at.name('w'));
      const reader = await at.connect();
      await reader.subscribe(at.name('r'));
      at.t.equal(text(await reader.next('publish')), 'kept');
    },
  ],
  [
    '3.1.2-8, 3.1.2-16',
    'the will of a lost connection is published',
    async (at) => {
      const { reader } = await pair(at, at.name('will'), 1);
      (await at.connect({ clientId: at.name('lost'), ...gone(at.name('will')) })).lose();
      at.t.match(await reader.next('publish'), { qos: 1, retain: false });
    },
  ],
  [
    '3.1.2-17',
    'a will that is to be retained is',
    async (at) => {
      const lost = await at.connect({
        clientId: at.name('lost'),
        ...gone(at.name('will'), { retain: true }),
      });
      await at.lose(lost, at.name('lost'));
      const reader = await at.connect();
      await reader.subscribe(at.name('will'));
      at.t.match(await reader.next('publish'), { retain: true });
    },
  ],
  [
    '3.1.2-8',
    'so is the will of one that breaks the protocol or is silent',
    async (at) => {
      const { reader } = await pair(at, at.name('will'), 1);
      (await at.connect(gone(at.name('will')))).socket.write(hex('f000'));
      await reader.next('publish');
      await at.connect({ keepalive: 1, ...gone(at.name('will')) });
      await reader.next('publish');
    },
  ],
  [
    '3.1.2-10, 3.14.4-3',
    'DISCONNECT takes it back',
    async (at) => {
      const { reader } = await pair(at, at.name('will'), 1);
      const polite = await at.connect(gone(at.name('will')));
      polite.send({ cmd: 'disconnect' });
      await polite.end();
      await reader.settle();
      at.t.same(reader.packets, []);
    },
  ],
];

const MESSAGES: Statement[] = [
  [
    '1.5.3-3',
    'a byte order mark is a character of a topic',
    async (at) => {
      const { reader, writer } = await pair(at, at.name('\ufeffx'));
      writer.publish(at.name('x'), 'without');
      writer.publish(at.name('\ufeffx'), 'with');
      at.t.equal(text(await reader.next('publish')), 'with');
    },
  ],
  [
    '2.3.1-6, 4.3.2-2, 4.3.3-2',
    'answers have the id of the message',
    async (at) => {
      const client = await at.connect();
      client.publish(at.name('x'), '', { qos: 1, messageId: 0xffff });
      at.t.equal((await client.next('puback')).messageId, 0xffff);
      client.publish(at.name('x'), '', { qos: 2, messageId: 0x1234 });
      at.t.equal((await client.next('pubrec')).messageId, 0x1234);
      client.send({ cmd: 'pubrel', messageId: 0x1234 });
      at.t.equal((await client.next('pubcomp')).messageId, 0x1234);
    },
  ],
  [
    '3.3.1-2, 3.3.1-3',
    'whether it comes again is not told to others',
    async (at) => {
      const { reader, writer } = await pair(at, at.name('x'), 1);
      writer.publish(at.name('x'), '', { qos: 1, messageId: 1, dup: true });
      at.t.equal((await reader.next('publish')).dup, false);
    },
  ],
  [
    '3.3.1-5, 3.3.1-6, 3.3.1-8, 3.3.1-9',
    'a retained message: for new subscriptions with the flag, for others without',
    async (at) => {
      const { reader, writer } = await pair(at, at.name('+'));
      writer.publish(at.name('r'), 'kept', { retain: true, qos: 1, messageId: 1 });
      at.t.match(await reader.next('publish'), { retain: false });
      await reader.subscribe(at.name('r'), 1);
      at.t.match(await reader.next('publish'), { retain: true, qos: 1 });
    },
  ],
  [
    '3.3.1-7',
    'one of QoS 0 takes the place of the one before',
    async (at) => {
      const writer = await at.connect();
      writer.publish(at.name('r'), 'old', { retain: true, qos: 1, messageId: 1 });
      writer.publish(at.name('r'), 'new', { retain: true });
      await writer.subscribe(at.name('r'), 1);
      at.t.match(text(await writer.next('publish')), 'new');
    },
  ],
  [
    '3.3.1-10, 3.3.1-11',
    'one without payload is passed on, and ends what is retained',
    async (at) => {
      const { reader, writer } = await pair(at, at.name('r'));
      writer.publish(at.name('r'), 'kept', { retain: true });
      writer.publish(at.name('r'), '', { retain: true });
      await reader.next('publish');
      at.t.match(await reader.next('publish'), { retain: false });
      await writer.subscribe(at.name('r'));
      await writer.settle();
      at.t.same(writer.packets, []);
    },
  ],
  [
    '3.3.1-12',
    'one without the flag leaves what is retained',
    async (at) => {
      const writer = await at.connect();
      writer.publish(at.name('r'), 'kept', { retain: true });
      writer.publish(at.name('r'), 'passing');
      await writer.subscribe(at.name('r'));
      at.t.equal(text(await writer.next('publish')), 'kept');
    },
  ],
  [
    '3.3.5-1',
    'overlapping subscriptions: the highest QoS of them',
    async (at) => {
      const { reader, writer } = await pair(at, at.name('#'), 2);
      await reader.subscribe(at.name('+'), 1);
      writer.publish(at.name('x'), '', { qos: 2, messageId: 1 });
      at.t.equal((await reader.next('publish')).qos, 2);
    },
  ],
  [
    '3.3.5-2',
    'what is not allowed is acknowledged all the same, and goes nowhere',
    async (at) => {
      const { reader, writer } = await pair(at, at.name('#'));
      writer.publish(at.name('forbidden'), '', { qos: 1, messageId: 1 });
      await writer.next('puback');
      await reader.settle();
      at.t.same(reader.packets, []);
    },
  ],
  [
    '4.3.3-2',
    'a message of QoS 2 that comes again before its release is handed on once',
    async (at) => {
      const { reader, writer } = await pair(at, at.name('x'), 2);
      for (const dup of [false, true]) {
        writer.publish(at.name('x'), '', { qos: 2, messageId: 1, dup });
        await writer.next('pubrec');
      }
      writer.send({ cmd: 'pubrel', messageId: 1 });
      await writer.next('pubcomp');
      await reader.next('publish');
      await reader.settle();
      at.t.same(reader.packets, []);
    },
  ],
  [
    '4.3.3-1',
    'one to a client is released once it says it has it',
    async (at) => {
      const { reader, writer } = await pair(at, at.name('x'), 2);
      writer.publish(at.name('x'), '', { qos: 2, messageId: 1 });
      const { messageId } = await reader.next('publish');
      reader.send({ cmd: 'pubrec', messageId: messageId! });
      at.t.equal((await reader.next('pubrel')).messageId, messageId);
      reader.send({ cmd: 'pubcomp', messageId: messageId! });
      await reader.settle();
    },
  ],
  [
    '4.6.0-5, 4.6.0-6',
    'messages of a topic and a QoS keep their order',
    async (at) => {
      const { reader, writer } = await pair(at, at.name('x'), 2);
      const order = Array.from({ length: 15 }, (_, n) => `${n}`);
      for (const qos of [0, 1, 2] as const) {
        for (const n of order)
          writer.publish(at.name('x'), n, { qos, ...(qos && { messageId: 100 * qos + Number(n) }) });
        const got: string[] = [];
        while (got.length < order.length) {
          const packet = await reader.next('publish');
          got.push(text(packet));
          if (qos)
            reader.send({ cmd: qos === 1 ? 'puback' : 'pubrec', messageId: packet.messageId! } as Packet);
        }
        at.t.same(got, order);
      }
    },
  ],
];

const SUBSCRIPTIONS: Statement[] = [
  [
    '3.8.4-1, 3.8.4-2, 3.8.4-4, 3.8.4-5, 3.9.3-1',
    'SUBACK has the id and a code for each filter in its order',
    async (at) => {
      const client = await at.connect();
      client.socket.write(hex('82 11 0777 0001 61 02 0003 612f2b 00 0002 6223 01'));
      const { messageId, granted } = await client.next('suback');
      at.t.same([messageId, granted], [0x777, [2, 0, 0x80]]);
    },
  ],
  [
    '3.8.4-3',
    'the same filter again takes the place of the one before, and gets what is retained',
    async (at) => {
      const { reader, writer } = await pair(at, at.name('x'), 0);
      writer.publish(at.name('x'), 'kept', { retain: true });
      await reader.next('publish');
      await reader.subscribe(at.name('x'), 1);
      at.t.equal((await reader.next('publish')).retain, true);
      writer.publish(at.name('x'), '', { qos: 2, messageId: 1 });
      at.t.equal((await reader.next('publish')).qos, 1);
      await reader.settle();
      at.t.same(reader.packets, [], 'once');
    },
  ],
  [
    '3.8.4-6',
    'the lower of both QoS',
    async (at) => {
      for (const asked of [0, 1, 2] as const) {
        const { reader, writer } = await pair(at, at.name('x'), asked);
        for (const qos of [0, 1, 2] as const) {
          writer.publish(at.name('x'), '', { qos, ...(qos && { messageId: 1 + qos }) });
          at.t.equal((await reader.next('publish')).qos, Math.min(asked, qos));
        }
      }
    },
  ],
  [
    '3.10.4-1, 3.10.4-2, 3.10.4-4, 3.10.4-6',
    'UNSUBSCRIBE ends filters that are the same, letter by letter',
    async (at) => {
      const { reader, writer } = await pair(at, at.name('x'));
      await reader.subscribe(at.name('y'));
      reader.send({ cmd: 'unsubscribe', messageId: 9, unsubscriptions: [at.name('+'), at.name('x')] });
      at.t.equal((await reader.next('unsuback')).messageId, 9);
      writer.publish(at.name('x'), '');
      writer.publish(at.name('y'), '');
      at.t.equal((await reader.next('publish')).topic, at.name('y'));
    },
  ],
  [
    '3.10.4-3',
    'what is under way to the client is completed',
    async (at) => {
      const { reader, writer } = await pair(at, at.name('x'), 2);
      writer.publish(at.name('x'), '', { qos: 2, messageId: 1 });
      const { messageId } = await reader.next('publish');
      reader.send({ cmd: 'unsubscribe', messageId: 9, unsubscriptions: [at.name('x')] });
      await reader.next('unsuback');
      reader.send({ cmd: 'pubrec', messageId: messageId! });
      at.t.equal((await reader.next('pubrel')).messageId, messageId);
    },
  ],
  [
    '3.10.4-5',
    'UNSUBACK where nothing ends, too',
    async (at) => {
      const client = await at.connect();
      client.send({ cmd: 'unsubscribe', messageId: 5, unsubscriptions: ['never'] });
      at.t.equal((await client.next('unsuback')).messageId, 5);
    },
  ],
  ['3.12.4-1', 'PINGRESP', async (at) => (await at.connect()).settle()],
  [
    '4.7.1-2, 4.7.1-3',
    'wildcards stand alone in their level, # in the last one',
    async (at) => {
      const client = await at.connect();
      for (const filter of ['a#', 'a/#/b', 'a+', '+a/b', '#/'])
        at.t.equal(await client.subscribe(filter), 0x80, filter);
      for (const filter of ['#', '+', 'a/+/b', '+/+/#', '/+', 'a/#'])
        at.t.equal(await client.subscribe(filter), 0, filter);
    },
  ],
  [
    '4.7.2-1',
    'a wildcard in front does not stand for $',
    async (at) => {
      const { reader, writer } = await pair(at, '#');
      await reader.subscribe('+/x');
      await reader.settle();
      // What others retained.
      reader.packets.length = 0;
      writer.publish('$hidden/x', 'no');
      writer.publish(at.name('x'), 'yes');
      at.t.equal(text(await reader.next('publish')), 'yes');
      await reader.subscribe('$hidden/#');
      writer.publish('$hidden/x', 'asked for');
      at.t.equal(text(await reader.next('publish')), 'asked for');
    },
  ],
  [
    '4.7.3-4',
    'topics are compared letter by letter',
    async (at) => {
      const { reader, writer } = await pair(at, at.name('Å'));
      for (const other of ['å', 'A\u030a', 'Å/', '/Å', ' Å']) writer.publish(at.name(other), 'no');
      writer.publish(at.name('Å'), 'yes');
      at.t.equal(text(await reader.next('publish')), 'yes');
    },
  ],
  [
    '4.7.3-3',
    'a topic has at most 65,535 bytes; one that is longer than a subscription may be is acknowledged',
    async (at) => {
      const writer = await at.connect();
      writer.publish('l'.repeat(65_535), '', { qos: 1, messageId: 1 });
      await writer.next('puback');
      at.t.equal(await writer.subscribe('l'.repeat(65_535)), 0x80);
    },
  ],
];

t.test('MQTT 3.1.1', async (t) => {
  const servers = `
servers:
  - { name: s, port: 0, bind: 127.0.0.1, protocol: mqtt, entry: main.lua, limits: { frameBytes: 256KiB, sendBufferBytes: 256KiB } }
  - { name: w, port: 0, bind: 127.0.0.1, protocol: mqtt, transport: ws, entry: main.lua }`;
  const test = await startTestEngine({ 'main.lua': SCRIPT }, servers);
  t.teardown(test.stop);
  const violations = VIOLATIONS.map(
    ([ids, says, ...packets]): Statement => [
      ids,
      says,
      async (at) => {
        for (const packet of packets) await at.endsClient(packet);
      },
    ],
  );
  await verify(t, test, 4, [...CONNECTS, ...violations, ...SESSIONS, ...MESSAGES, ...SUBSCRIPTIONS]);

  await t.test(
    '[6.0.0-2, 6.0.0-4] packets are cut into WebSocket messages anyhow; the subprotocol is mqtt',
    async (t) => {
      const ws = new WebSocket(`ws://127.0.0.1:${test.port(1)}`, ['mqtt']);
      t.teardown(() => ws.terminate());
      const received: Buffer[] = [];
      ws.on('message', (data: Buffer) => received.push(data));
      await new Promise((resolve) => ws.once('open', resolve));
      t.equal(ws.protocol, 'mqtt');
      const bytes = hex(`10 0c 0004 4d515454 04 02 0000 0000 ${PINGREQ} ${PINGREQ}`);
      for (const part of [
        bytes.subarray(0, 1),
        bytes.subarray(1, 5),
        bytes.subarray(5, 15),
        bytes.subarray(15),
      ])
        ws.send(part);
      await until(() => Buffer.concat(received).length === 8);
      t.equal(Buffer.concat(received).toString('hex'), '20020000d000d000');
    },
  );

  await t.test('[6.0.0-1] a WebSocket message of text ends the connection', async (t) => {
    const ws = new WebSocket(`ws://127.0.0.1:${test.port(1)}`, ['mqtt']);
    t.teardown(() => ws.terminate());
    await new Promise((resolve) => ws.once('open', resolve));
    const closed = new Promise<number>((resolve) => ws.once('close', resolve));
    ws.send(hex('10 0c 0004 4d515454 04 02 0000 0000').toString('latin1'));
    t.equal(await closed, 1003);
  });
});
