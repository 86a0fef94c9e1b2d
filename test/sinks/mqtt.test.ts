import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { makeCertificates } from '../support/certificates.js';
import { type MqttMessage, subscribe, TestMosquitto } from '../support/mosquitto.js';
import { missing } from '../support/need.js';
import { openProxy } from '../support/tcp-proxy.js';
import { feedRecord, idOf, idsTo, report, TestFeed, until } from './support.js';

const skip =
  missing('mosquitto', 'mosquitto') ||
  missing('mosquitto_sub', 'mosquitto-clients') ||
  missing('openssl', 'openssl');

const idsOf = (messages: readonly MqttMessage[]): string[] =>
  messages.map(({ payload }) => (JSON.parse(payload) as { id: string }).id);

t.test('3.1.1 and 5, plain and over TLS with a certificate', { skip }, async (t) => {
  const certificates = makeCertificates(t);
  const broker = await TestMosquitto.start(t, { certificates });
  const messages = await subscribe(t, broker, '#');
  const feed = await TestFeed.open(t, ['v4', 'v5', 'v4s', 'v5s', 'strange']);
  const { ca, client } = certificates;
  for (const version of [4, 5]) {
    const url = `mqtt://127.0.0.1:${broker.port}`;
    const mqtts = `mqtts://127.0.0.1:${broker.tlsPort}`;
    const topic = (name: string): string => `${name}/{engine}/{node}/{device}/{topic}`;
    await feed.deliver({ name: `v${version}`, mqtt: { url, version, topic: topic(`v${version}`) } });
    const tls = { ca, ...client };
    await feed.deliver({
      name: `v${version}s`,
      mqtt: { url: mqtts, version, topic: topic(`v${version}s`), tls },
    });
  }
  const strange = await feed.deliver({
    name: 'strange',
    mqtt: { url: `mqtts://127.0.0.1:${broker.tlsPort}` },
  });
  feed.feed.append(feedRecord([report(1, { a: 1 }, 'some/to+pic')]), 1);
  feed.feed.append(feedRecord([[2, 'a/b#%', 1, 2, 'x', null, 'good']]), 1);
  await until(() => messages.length === 8);
  for (const name of ['v4', 'v5', 'v4s', 'v5s']) {
    const own = messages.filter(({ topic }) => topic.startsWith(`${name}/`));
    t.same(
      own.map(({ topic }) => topic),
      [`${name}/barn/3/device-1/some/to%2Bpic`, `${name}/barn/3/a%2Fb%23%25/_`],
    );
    t.match(JSON.parse(own[0]!.payload), { id: idOf(1), device_id: 'device-1', topic: 'some/to+pic' });
    t.match(JSON.parse(own[1]!.payload), { device_id: 'a/b#%', quality: 'good', values: 'x' });
  }
  await until(() => strange.status().error !== undefined);
  t.match(strange.status(), { delivered: 0, error: /certificate/ }, 'an unknown authority is not trusted');
});

t.test('nothing is lost while the broker is stopped and started again in the middle', { skip }, async (t) => {
  const broker = await TestMosquitto.start(t);
  const messages = await subscribe(t, broker, 'moonwire/#');
  const feed = await TestFeed.open(t, ['mqtt']);
  const mqtt = { url: `mqtt://127.0.0.1:${broker.port}` };
  const delivery = await feed.deliver({ mqtt, batch: { records: 50 } });
  const count = 3000;
  for (let i = 0; i < 3; i++) {
    feed.add(count / 3);
    await until(() => delivery.status().delivered > (count / 3) * i);
    await broker.stop('SIGTERM');
    await until(() => !delivery.status().ok || delivery.status().pending === 0);
    await broker.start();
  }
  await until(() => delivery.status().pending === 0);
  await until(() => new Set(idsOf(messages)).size === count);
  t.ok(
    broker.received <= count + 3 * 50,
    `${broker.received - count} repeats: a batch for each time at most`,
  );
  t.same(new Set(idsOf(messages)), new Set(idsTo(count)));
});

t.test('a broker that hangs, and a connection that is cut', { skip }, async (t) => {
  const broker = await TestMosquitto.start(t);
  const proxy = await openProxy(t, () => broker.port);
  const messages = await subscribe(t, broker, 'moonwire/#');
  const feed = await TestFeed.open(t, ['mqtt']);
  const mqtt = { url: `mqtt://127.0.0.1:${proxy.port}` };
  const delivery = await feed.deliver({ mqtt, timeout: 0.5 });
  feed.add(10);
  await until(() => messages.length === 10);
  broker.signal('SIGSTOP');
  feed.add(10);
  await until(() => delivery.status().retried >= 10);
  t.equal(delivery.status().ok, false);
  broker.signal('SIGCONT');
  await until(() => new Set(idsOf(messages)).size === 20);
  await until(() => delivery.status().pending === 0);
  proxy.cut();
  feed.add(10);
  await until(() => new Set(idsOf(messages)).size === 30);
  await until(() => delivery.status().pending === 0);
  proxy.drop();
  feed.add(10);
  await until(() => new Set(idsOf(messages)).size === 40);
  t.same([...new Set(idsOf(messages))], idsTo(40));
});

t.test('what the broker does not take becomes a dead letter, all else arrives', { skip }, async (t) => {
  const broker = await TestMosquitto.start(t, { more: ['max_packet_size 2000'] });
  const messages = await subscribe(t, broker, 'moonwire/#');
  const feed = await TestFeed.open(t, ['mqtt']);
  const delivery = await feed.deliver({ mqtt: { url: `mqtt://127.0.0.1:${broker.port}` } });
  const values = (n: number): string => 'x'.repeat(n === 3 ? 3000 : 10);
  feed.feed.append(feedRecord([1, 2, 3, 4].map((n) => report(n, values(n)))), 4);
  await until(() => delivery.status().pending === 0);
  await until(() => messages.length === 3);
  t.same(idsOf(messages), [1, 2, 4].map(idOf));
  t.match(delivery.status(), { ok: true, delivered: 3, dead: 1, retried: 0 });
  const [letter] = readFileSync(join(feed.folder, 'dead/mqtt.jsonl'), 'utf8').split('\n');
  t.match(JSON.parse(letter!), { id: idOf(3), reason: 'the broker takes at most 2000 bytes' });
});

t.test('a login that is refused waits, and the password is nowhere to be seen', { skip }, async (t) => {
  const broker = await TestMosquitto.start(t, { more: ['allow_anonymous false'] });
  const feed = await TestFeed.open(t, ['v4', 'v5']);
  for (const version of [4, 5]) {
    const mqtt = { url: `mqtt://127.0.0.1:${broker.port}`, version, username: 'me', password: 'verysecret' };
    const delivery = await feed.deliver({ name: `v${version}`, mqtt });
    if (version === 4) feed.add(1);
    else feed.feed.append(feedRecord([report(2)]), 1);
    await until(() => delivery.status().error !== undefined);
    t.match(delivery.status(), { ok: false, dead: 0, error: /[Nn]ot authorized/ });
    t.notMatch(JSON.stringify(delivery.status()), /verysecret/);
  }
});
