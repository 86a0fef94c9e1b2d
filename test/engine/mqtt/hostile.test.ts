import { generate, type Packet } from 'mqtt-packet';
import t from 'tap';
import { Device, until } from '../../support/engine.js';
import { RawMqtt, startMqtt } from '../../support/mqtt.js';
import { random } from '../../support/random.js';

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');
const CONNECT4 = hex('10 0d 0004 4d515454 04 02 0000 0001 61');
const CONNECT5 = hex('10 0e 0004 4d515454 05 02 0000 00 0001 61');

t.test('what breaks the protocol ends that connection, as the standard says, and no other', async (t) => {
  const test = await startMqtt('function on_close() print("close") end', 'limits: { frameBytes: 1KiB }');
  t.teardown(test.stop);
  const other = await RawMqtt.connect(test.port(), { clientId: 'other' });
  const before: [what: string, bytes: Buffer, answer?: string][] = [
    ['PINGREQ first', hex('c000')],
    ['a protocol name that is none', hex('10 0d 0004 4d515455 04 02 0000 0001 61')],
    ['a version of the future', hex('10 0d 0004 4d515454 06 02 0000 0001 61'), '20020001'],
    ['the reserved flag', hex('10 0d 0004 4d515454 04 03 0000 0001 61')],
    ['a will of QoS 3', hex('10 13 0004 4d515454 04 1e 0000 0001 61 0001 62 0001 63')],
    ['a password without a user', hex('10 10 0004 4d515454 04 42 0000 0001 61 0001 70')],
    ['a session to be kept without client id', hex('10 0c 0004 4d515454 04 00 0000 0000'), '20020002'],
    ['a client id that is no UTF-8', hex('10 0e 0004 4d515454 04 02 0000 0002 c328')],
    ['a client id cut short', hex('10 0d 0004 4d515454 04 02 0000 0009 61')],
    ['a will under a wildcard', hex('10 13 0004 4d515454 04 06 0000 0001 61 0001 23 0001 63')],
    [
      'extended authentication',
      hex('10 12 0004 4d515454 05 02 0000 04 15 0001 78 0001 61'),
      '20 03 00 8c 00',
    ],
    ['a packet larger than allowed', hex('10 80 80 01')],
    ['a length of five bytes', hex('10 ff ff ff ff 01')],
    ['a web browser', Buffer.from(`GET /${'x'.repeat(80)} HTTP/1.1\r\n\r\n`)],
  ];
  for (const [what, bytes, answer = ''] of before) {
    const device = await Device.connect(test.port());
    device.send(bytes);
    await until(
      () => device.closed,
      () => `${what}: still open`,
    );
    t.equal(device.received.toString('hex'), answer.replaceAll(' ', ''), what);
  }
  const after: [what: string, bytes: Buffer, reason: number][] = [
    ['CONNECT again', CONNECT5, 0x82],
    ['reserved flags', hex('c100'), 0x81],
    ['a wildcard in a topic', hex('30 05 0001 2b 00 78'), 0x90],
    ['U+0000 in a topic', hex('30 05 0001 00 00 78'), 0x90],
    ['no topic and no alias', hex('30 04 0000 00 78'), 0x90],
    ['an alias that was not set', hex('30 07 0000 03 230001 78'), 0x82],
    ['an alias of 0', hex('30 08 0001 61 03 230000 78'), 0x94],
    ['an alias beyond the maximum', hex('30 08 0001 61 03 230011 78'), 0x94],
    ['QoS 3', hex('36 07 0001 61 0001 00 78'), 0x81],
    ['no id with QoS 1', hex('32 07 0001 61 0000 00 78'), 0x82],
    ['a topic that is no UTF-8', hex('30 06 0002 c328 00 78'), 0x81],
    ['a topic cut short', hex('30 04 0009 61 00'), 0x81],
    ['SUBSCRIBE without a filter', hex('82 03 0001 00'), 0x82],
    ['SUBSCRIBE of QoS 3', hex('82 07 0001 00 0001 61 03'), 0x81],
    ['UNSUBSCRIBE without a filter', hex('a2 03 0001 00'), 0x82],
    ['CONNACK from a client', hex('20 03 00 00 00'), 0x82],
    ['a packet larger than allowed', hex('30 80 80 01'), 0x95],
  ];
  for (const [what, bytes, reason] of after) {
    const client = await RawMqtt.connect(test.port(), { protocolVersion: 5, clientId: 'a' });
    client.socket.write(bytes);
    t.equal((await client.next('disconnect')).reasonCode, reason, what);
    await client.end();
  }
  await other.settle();
  t.equal(other.closed, false);
  await until(() => test.engine.clients.size === 1);
  t.equal(
    test.log.filter(({ message }) => message === 'close').length,
    after.length,
    'the script hears of those it had met',
  );
});

t.test('messages under way, filters and silence are bounded', async (t) => {
  const test = await startMqtt(
    '',
    'limits: { handshakeSeconds: 1, idleSeconds: 1 }',
    'mqtt: { receiveMaximum: 2, subscriptions: 2 }',
  );
  t.teardown(test.stop);
  const mute = await Device.connect(test.port());
  const quiet = await RawMqtt.connect(test.port(), { clientId: 'quiet', protocolVersion: 5 });
  const alive = await RawMqtt.connect(test.port(), { clientId: 'alive', keepalive: 60, protocolVersion: 5 });
  t.equal(alive.connack.properties?.receiveMaximum, 2);
  for (const n of [1, 2, 3]) t.equal(await alive.subscribe(`f/${n}`, 1), n < 3 ? 1 : 0x97);
  t.equal(await alive.subscribe('f/1', 0), 0, 'one that is there may be changed');
  for (const n of [1, 2, 3]) alive.publish('x', '', { qos: 2, messageId: n });
  t.equal((await alive.next('disconnect')).reasonCode, 0x93);
  t.equal((await quiet.next('disconnect')).reasonCode, 0x8d, 'idleSeconds where there is no keep-alive');
  await until(() => mute.closed);
  const beats = await RawMqtt.connect(test.port(), { clientId: 'beats', keepalive: 1, protocolVersion: 5 });
  t.equal((await beats.next('disconnect')).reasonCode, 0x8d, 'one and a half times the keep-alive');
});

t.test('a device that reads nothing holds up nobody, and gets what it is owed later', async (t) => {
  const test = await startMqtt('', 'limits: { sendBufferBytes: 64KiB, sendStallSeconds: 60 }');
  t.teardown(test.stop);
  const slow = await RawMqtt.connect(test.port(), { clientId: 'slow' });
  const quick = await RawMqtt.connect(test.port(), { clientId: 'quick' });
  await slow.subscribe('bulk', 0);
  await slow.subscribe('owed', 1);
  await quick.subscribe('#', 0);
  slow.socket.pause();
  const [bulk, size] = ['x'.repeat(16_000), 500];
  let failed = 0;
  for (let n = 0; n < size; n++) {
    failed += (await test.engine.mesh.publish('bulk', { data: bulk })).fail;
    await quick.next('publish');
  }
  t.ok(failed > 0, 'what it does not take is refused');
  t.same(await test.engine.mesh.publish('owed', { data: 'owed' }), { success: 2, fail: 0 });
  t.equal((await quick.next('publish')).topic, 'owed');
  slow.socket.resume();
  for (;;) if ((await slow.next('publish')).topic === 'owed') break;
  t.pass('it came');
});

t.test('packets arrive whole however they are cut; noise ends a connection and nothing else', async (t) => {
  const test = await startMqtt('function on_message(msg) print(msg.topic) end');
  t.teardown(test.stop);
  const { below, bytes } = random(t);
  const packets: Packet[] = Array.from({ length: 20 }, (_, n) => ({
    cmd: 'publish',
    topic: `t/${n}`,
    payload: Buffer.from(bytes(below(300))),
    qos: 1,
    messageId: n + 1,
    retain: false,
    dup: false,
  }));
  const stream = Buffer.concat([CONNECT4, ...packets.map((packet) => generate(packet))]);
  for (const most of [1, 50]) {
    const device = await Device.connect(test.port());
    device.socket.setNoDelay(true);
    for (let at = 0; at < stream.length; ) {
      const next = at + 1 + below(most);
      device.send(stream.subarray(at, next));
      at = next;
      if (below(8) === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await until(() => device.received.length === 4 + packets.length * 4);
    device.socket.destroy();
  }
  const topics = test.log.filter(({ message }) => message.startsWith('t/')).map(({ message }) => message);
  t.same(
    topics,
    [...packets, ...packets].map((packet) => (packet as { topic: string }).topic),
  );
  for (let round = 0; round < 60; round++) {
    const device = await Device.connect(test.port());
    if (round % 2 === 0) device.send(CONNECT4);
    const spoiled = Buffer.from(stream.subarray(CONNECT4.length));
    for (let n = 0; n < 5; n++) spoiled[below(spoiled.length)] = below(256);
    device.send(spoiled);
    device.send(bytes(200));
    device.socket.end();
    await until(() => device.closed);
  }
  const sound = await RawMqtt.connect(test.port(), { clientId: 'sound' });
  await sound.settle();
  t.notOk(test.log.some(({ level, message }) => level === 'error' && !message.includes('on_message')));
});
