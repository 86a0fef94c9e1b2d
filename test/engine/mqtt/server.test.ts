import t from 'tap';
import { until } from '../../support/engine.js';
import { RawMqtt, startMqtt } from '../../support/mqtt.js';

const ECHO = `
  seen = {}
  function on_message(msg, conn)
    if msg.payload == "fail" then error("no") end
    print(msg.topic .. "|" .. msg.payload .. "|" .. msg.qos .. "|" .. tostring(msg.retain))
  end
  function on_close(id, err) print("close " .. tostring(err)) end
`;

const printed = (test: { log: { level: string; message: string }[] }) =>
  test.log.filter(({ level }) => level === 'info').map(({ message }) => message);

t.test('the script gets messages, and a device its answer only once that is done', async (t) => {
  const test = await startMqtt(ECHO);
  t.teardown(test.stop);
  const device = await RawMqtt.connect(test.port(), { clientId: 'one' });
  t.match(device.connack, { returnCode: 0, sessionPresent: false });
  device.publish('a', 'x');
  device.publish('a', 'y', { qos: 1, messageId: 5 });
  t.equal((await device.next('puback')).messageId, 5);
  device.publish('a', 'fail', { qos: 1, messageId: 6 });
  device.publish('b/c', 'ü', { qos: 2, messageId: 7, retain: true });
  t.equal((await device.next('pubrec')).messageId, 7);
  device.publish('b/c', 'ü', { qos: 2, messageId: 7, retain: true, dup: true });
  t.equal((await device.next('pubrec')).messageId, 7, 'what came twice is answered twice');
  device.send({ cmd: 'pubrel', messageId: 7 });
  t.equal((await device.next('pubcomp')).messageId, 7);
  await device.settle();
  t.notOk(
    device.packets.some(({ cmd }) => cmd === 'puback'),
    'what the script failed at is not acknowledged',
  );
  device.send({ cmd: 'disconnect' });
  await device.end();
  await until(() => test.engine.clients.size === 0);
  t.same(printed(test).slice(1), ['a|x|0|false', 'a|y|1|false', 'b/c|ü|2|true', 'close nil']);
});

t.test('on_authenticate decides who may connect, on_authorize what about', async (t) => {
  const test = await startMqtt(`
    function on_authenticate(login, conn)
      mix.sleep(0.001)
      if login.username == "ann" and login.password == "s3cret" then return true end
      if login.username == "err" then error("no") end
      return false, login.username and "bad_credentials"
    end
    function on_authorize(action, topic, conn)
      if topic == "slow" then mix.sleep(0.01) end
      return not topic:find("^secret")
    end
    function on_connect(id, conn)
      print("connect " .. conn:context_value("mqtt_client_id") .. " " .. conn:context_value("mqtt_username"))
    end
    function on_message(msg) print(msg.topic) end
    function on_close() print("close") end
  `);
  t.teardown(test.stop);
  const code = async (version: 3 | 4 | 5, username?: string, password?: string) => {
    const client = await RawMqtt.connect(test.port(), {
      protocolVersion: version,
      clientId: `c${version}`,
      ...(username && { username }),
      ...(password && { password: Buffer.from(password) }),
    });
    t.teardown(() => client.lose());
    const { returnCode, reasonCode } = client.connack;
    return { client, code: version === 5 ? reasonCode : returnCode };
  };
  for (const [version, wrong, none] of [
    [3, 4, 5],
    [4, 4, 5],
    [5, 0x86, 0x87],
  ] as const) {
    const refused = await code(version, 'ann', 'guess');
    t.equal(refused.code, wrong);
    await refused.client.end();
    t.equal((await code(version)).code, none);
    t.equal((await code(version, 'err', 'x')).code, version === 5 ? 0x89 : 3);
  }
  const old = (await code(4, 'ann', 's3cret')).client;
  t.equal(await old.subscribe('secret/x', 1), 0x80);
  t.equal(await old.subscribe('slow', 1), 1);
  old.publish('secret/x', 'x', { qos: 1, messageId: 1 });
  t.equal((await old.next('puback')).messageId, 1, 'an old client can be told nothing else');
  const client = (await code(5, 'ann', 's3cret')).client;
  t.equal(await client.subscribe('secret/#', 1), 0x87);
  client.publish('secret/x', 'x', { qos: 1, messageId: 1 });
  t.equal((await client.next('puback')).reasonCode, 0x87);
  client.publish('secret/x', 'x', { qos: 2, messageId: 2 });
  t.equal((await client.next('pubrec')).reasonCode, 0x87);
  client.publish('fine', 'x', { qos: 1, messageId: 3 });
  t.equal((await client.next('puback')).reasonCode, 0);
  t.same(printed(test).slice(1), ['connect c4 ann', 'connect c5 ann', 'fine'], 'nobody else was met');
});

t.test('subscribers get what is published once, by the best of their subscriptions', async (t) => {
  const test = await startMqtt('');
  t.teardown(test.stop);
  const five = await RawMqtt.connect(test.port(), { clientId: 'five', protocolVersion: 5 });
  t.equal(await five.subscribe('a/+', 1, {}, { subscriptionIdentifier: 3 }), 1);
  t.equal(await five.subscribe('a/#', 2, { nl: true }, { subscriptionIdentifier: 4 }), 2);
  t.equal(await five.subscribe('rap', 0, { rap: true }), 0);
  t.equal(await five.subscribe('$share/g/a', 1), 0x9e);
  const four = await RawMqtt.connect(test.port(), { clientId: 'four' });
  t.equal(await four.subscribe('a/b', 0), 0);
  t.equal(await four.subscribe('a/#/b', 0), 0x80);
  const sender = await RawMqtt.connect(test.port(), { clientId: 'sender', protocolVersion: 5 });
  sender.publish('a/b', 'one', {
    qos: 2,
    messageId: 1,
    properties: {
      contentType: 'text/plain',
      responseTopic: 'r',
      correlationData: Buffer.from('c'),
      userProperties: { k: ['v', ''] },
      messageExpiryInterval: 100,
    },
  });
  const got = await five.next('publish');
  t.match(got, { topic: 'a/b', qos: 2, retain: false, payload: Buffer.from('one') });
  t.match(got.properties, {
    contentType: 'text/plain',
    responseTopic: 'r',
    correlationData: Buffer.from('c'),
    userProperties: { k: ['v', ''] },
    subscriptionIdentifier: [3, 4],
  });
  t.ok(got.properties!.messageExpiryInterval! <= 100 && got.properties!.messageExpiryInterval! > 0);
  five.send({ cmd: 'pubrec', messageId: got.messageId! });
  t.equal((await five.next('pubrel')).messageId, got.messageId);
  five.send({ cmd: 'pubcomp', messageId: got.messageId! });
  t.match(await four.next('publish'), { topic: 'a/b', qos: 0, payload: Buffer.from('one') });
  five.publish('a', 'own');
  five.publish('a/x', 'own too');
  t.match(
    await five.next('publish'),
    { topic: 'a/x', qos: 0 },
    'only by the subscription without "no local"',
  );
  sender.publish('rap', 'kept', { retain: true });
  t.match(await five.next('publish'), { topic: 'rap', retain: true }, 'retain as published');
  five.send({ cmd: 'unsubscribe', messageId: 9, unsubscriptions: ['a/+', 'a/#', 'none'] });
  t.same((await five.next('unsuback')).granted, [0, 0, 0x11]);
  sender.publish('a/b', 'two');
  t.match(await four.next('publish'), { payload: Buffer.from('two') });
  await five.settle();
  t.same(five.packets, []);
});

t.test('retained messages reach later subscribers, as their retain handling says', async (t) => {
  const test = await startMqtt('', '', 'mqtt: { retainedMessages: 2, retainedBytes: 1KiB }');
  t.teardown(test.stop);
  const sender = await RawMqtt.connect(test.port(), { protocolVersion: 5, clientId: 's' });
  sender.publish('r/1', 'one', { retain: true, qos: 1, messageId: 1 });
  sender.publish('r/2', 'two', { retain: true });
  sender.publish('r/3', 'no room', { retain: true });
  sender.publish('r/1', 'uno', { retain: true });
  await sender.settle();
  t.equal(test.engine.mqtt!.counters.retainedFull, 1);
  const client = await RawMqtt.connect(test.port(), { protocolVersion: 5, clientId: 'c' });
  await client.subscribe('r/#', 1);
  const both = [await client.next('publish'), await client.next('publish')].sort((a, b) =>
    a.topic.localeCompare(b.topic),
  );
  t.match(both, [
    { topic: 'r/1', retain: true, payload: Buffer.from('uno') },
    { topic: 'r/2', retain: true, payload: Buffer.from('two') },
  ]);
  await client.subscribe('r/#', 0, { rh: 1 });
  await client.subscribe('r/1', 0, { rh: 2 });
  await client.settle();
  t.same(client.packets, [], 'neither for a subscription that was there, nor where none is wanted');
  sender.publish('r/1', '', { retain: true });
  await sender.settle();
  t.match(await client.next('publish'), { topic: 'r/1', retain: false });
  await client.subscribe('r/1', 0);
  await client.settle();
  t.same(client.packets, [], 'an empty one removes it');
});

t.test('sessions outlive connections where that is asked for', async (t) => {
  const test = await startMqtt('', '', 'mqtt: { queueMessages: 2, inflight: 1 }');
  t.teardown(test.stop);
  const sender = await RawMqtt.connect(test.port(), { clientId: 's' });
  const kept = { clientId: 'kept', clean: false };
  const first = await RawMqtt.connect(test.port(), kept);
  t.equal(first.connack.sessionPresent, false);
  await first.subscribe('t/+', 2);
  sender.publish('t/1', 'under way', { qos: 1, messageId: 1 });
  sender.publish('t/2', 'waits', { qos: 2, messageId: 2 });
  t.match(await first.next('publish'), { topic: 't/1', dup: false });
  await sender.next('pubrec');
  first.lose();
  await until(() => test.engine.mqtt!.sessionCounts.away === 1);
  for (const n of [3, 4, 5]) sender.publish(`t/${n}`, 'away', { qos: 1, messageId: n });
  sender.publish('t/0', 'lost', { qos: 0 });
  await sender.settle();
  t.equal(test.engine.mqtt!.counters.queueFull, 2, 'two wait, others found no room');
  const second = await RawMqtt.connect(test.port(), kept);
  t.equal(second.connack.sessionPresent, true);
  const again = await second.next('publish');
  t.match(again, { topic: 't/1', dup: true });
  second.send({ cmd: 'puback', messageId: again.messageId! });
  const next = await second.next('publish');
  t.match(next, { topic: 't/2', qos: 2, dup: false });
  second.send({ cmd: 'pubrec', messageId: next.messageId! });
  await second.next('pubrel');
  second.lose();
  await until(() => test.engine.mqtt!.sessionCounts.away === 1);
  const third = await RawMqtt.connect(test.port(), kept);
  t.equal((await third.next('pubrel')).messageId, next.messageId, 'the release is sent again');
  third.send({ cmd: 'pubcomp', messageId: next.messageId! });
  t.match(await third.next('publish'), { topic: 't/3' });
  third.send({ cmd: 'disconnect' });
  await third.end();
  const clean = await RawMqtt.connect(test.port(), { clientId: 'kept', clean: true });
  t.equal(clean.connack.sessionPresent, false);
  sender.publish('t/1', 'x', { qos: 1, messageId: 9 });
  await sender.next('puback');
  await clean.settle();
  t.same(clean.packets, [], 'a clean session begins without subscriptions');
  t.same([...test.engine.channels.names()], []);
});

t.test('sessions end with their time, and the longest away makes room', async (t) => {
  const test = await startMqtt('', '', 'mqtt: { sessions: 2 }');
  t.teardown(test.stop);
  const away = async (clientId: string, sessionExpiryInterval: number) => {
    const client = await RawMqtt.connect(test.port(), {
      protocolVersion: 5,
      clientId,
      properties: { sessionExpiryInterval },
    });
    await client.subscribe(`of/${clientId}`, 1);
    client.lose();
    await until(() => ![...test.engine.clients.values()].some((each) => !each.closed));
    return client.connack;
  };
  await away('brief', 1);
  const long = await away('long', 1_000_000);
  t.equal(long.properties?.sessionExpiryInterval, 3600, 'told what is kept instead');
  await away('longer', 3600);
  t.equal(test.engine.mqtt!.counters.evicted, 1);
  t.same([...test.engine.channels.names()].sort(), ['of/long', 'of/longer']);
  await away('brief', 1);
  await until(() => test.engine.mqtt!.sessionCounts.away === 1);
  t.same([...test.engine.channels.names()], ['of/longer'], 'its time is over');
});

t.test('a client id has one connection: the newest', async (t) => {
  const test = await startMqtt('');
  t.teardown(test.stop);
  const first = await RawMqtt.connect(test.port(), {
    protocolVersion: 5,
    clientId: 'x',
    clean: false,
    properties: { sessionExpiryInterval: 60 },
  });
  await first.subscribe('a', 1);
  const second = await RawMqtt.connect(test.port(), { clientId: 'x', clean: false });
  t.equal((await first.next('disconnect')).reasonCode, 0x8e);
  await first.end();
  t.equal(second.connack.sessionPresent, true);
  await until(() => test.engine.clients.size === 1);
  second.publish('a', 'still subscribed');
  await second.next('publish');
});

t.test('wills are published when a connection is lost, not when it is ended', async (t) => {
  const test = await startMqtt('');
  t.teardown(test.stop);
  const watcher = await RawMqtt.connect(test.port(), { clientId: 'w' });
  await watcher.subscribe('will/+', 1);
  const will = (topic: string, delay?: number) => ({
    clean: true,
    protocolVersion: 5 as const,
    will: {
      topic,
      payload: Buffer.from('gone'),
      qos: 1 as const,
      retain: false,
      ...(delay && { properties: { willDelayInterval: delay } }),
    },
  });
  const polite = await RawMqtt.connect(test.port(), { clientId: 'a', ...will('will/polite') });
  polite.send({ cmd: 'disconnect', reasonCode: 0 });
  await polite.end();
  const asks = await RawMqtt.connect(test.port(), { clientId: 'b', ...will('will/asked') });
  asks.send({ cmd: 'disconnect', reasonCode: 4 });
  t.equal((await watcher.next('publish')).topic, 'will/asked');
  const lost = await RawMqtt.connect(test.port(), { clientId: 'c', ...will('will/lost') });
  lost.lose();
  t.equal((await watcher.next('publish')).topic, 'will/lost');
  const late = {
    clientId: 'd',
    ...will('will/late', 3600),
    clean: false,
    properties: { sessionExpiryInterval: 3600 },
  };
  (await RawMqtt.connect(test.port(), late)).lose();
  await until(() => test.engine.mqtt!.sessionCounts.away === 1);
  const back = await RawMqtt.connect(test.port(), late);
  t.equal(back.connack.sessionPresent, true);
  await watcher.settle();
  t.same(watcher.packets, [], 'one that came back in time has no last will');
  back.send({ cmd: 'disconnect', reasonCode: 4, properties: { sessionExpiryInterval: 1 } });
  t.equal((await watcher.next('publish')).topic, 'will/late', 'at the latest when the session ends');
});

t.test('scripts and the API reach devices, under a topic of their choice', async (t) => {
  const test = await startMqtt(`
    local function say(err) print(tostring(err)) end
    function on_message(msg, conn)
      if msg.topic == "publish" then print(mix.mesh.publish("room/7", { on = true })) return end
      if msg.topic == "subscribe" then conn:subscribe("by/script") return end
      say(conn:send({ topic = "to/you", payload = "hi", qos = 1 }))
      say(conn:send("plain"))
      say(conn:send({ temperature = 21 }))
      say(conn:send({ topic = "a/+", payload = "x" }))
      say(conn:send({ topic = "a", payload = "x", qos = 3 }))
    end
  `);
  t.teardown(test.stop);
  const device = await RawMqtt.connect(test.port(), { clientId: 'dev-1' });
  device.publish('go', '');
  const got = [await device.next('publish'), await device.next('publish'), await device.next('publish')];
  t.match(got, [
    { topic: 'to/you', payload: Buffer.from('hi'), qos: 1 },
    { topic: 'moonwire/dev-1', payload: Buffer.from('plain'), qos: 0 },
    { topic: 'moonwire/dev-1', payload: Buffer.from('{"temperature":21}') },
  ]);
  await until(() => printed(test).length === 6);
  t.same(printed(test).slice(1), [
    'nil',
    'nil',
    'nil',
    'invalid_argument: a topic that is published to has no wildcards',
    'invalid_argument: qos is 0, 1 or 2',
  ]);
  await device.subscribe('room/+', 1);
  device.publish('publish', '');
  t.match(await device.next('publish'), { topic: 'room/7', payload: Buffer.from('{"on":true}'), qos: 1 });
  device.publish('subscribe', '');
  await device.settle();
  const [id] = test.engine.clients.keys();
  t.same(await test.engine.mesh.publish('by/script', { data: 'x' }), { success: 1, fail: 0 });
  t.match(await device.next('publish'), { topic: 'by/script', payload: Buffer.from('x') });
  t.equal(await test.engine.mesh.send(id!, { data: Buffer.from([0, 255]) }), undefined);
  t.same((await device.next('publish')).payload, Buffer.from([0, 255]));
  t.equal(await test.engine.mesh.send(id!, { data: { topic: 'x', payload: { a: 1 }, qos: 1 } }), undefined);
  t.match(await device.next('publish'), { topic: 'x', payload: Buffer.from('{"a":1}'), qos: 1 });
});

t.test('with forward off, what devices publish is for the script alone', async (t) => {
  const test = await startMqtt(
    'function on_message(msg) if msg.topic == "a" then mix.mesh.publish("b", msg.payload) end end',
    '',
    'mqtt: { forward: false }',
  );
  t.teardown(test.stop);
  const device = await RawMqtt.connect(test.port(), { clientId: 'x' });
  await device.subscribe('#', 1);
  device.publish('a', '1');
  device.publish('c', '2');
  t.match(await device.next('publish'), { topic: 'b', payload: Buffer.from('1') });
  await device.settle();
  t.same(device.packets, []);
});

t.test('protocol_encode writes payloads of what comes from outside', async (t) => {
  const test = await startMqtt(`
    function protocol_encode(data) return "<" .. tostring(data) .. ">" end
    function on_message(msg, conn) conn:send("as it is") end
  `);
  t.teardown(test.stop);
  const device = await RawMqtt.connect(test.port(), { clientId: 'x' });
  await device.subscribe('room');
  await test.engine.mesh.publish('room', { data: 'hi' });
  t.match(await device.next('publish'), { topic: 'room', payload: Buffer.from('<hi>') });
  device.publish('t', '');
  t.match(await device.next('publish'), { payload: Buffer.from('as it is') });
});
