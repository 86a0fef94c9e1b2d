// Mosquitto's own clients: what they can do beyond plain messages, over TLS with certificates and with pre-shared keys.

import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { makeCertificates } from '../../support/certificates.js';
import { until } from '../../support/engine.js';
import { RawMqtt, startMqtt } from '../../support/mqtt.js';
import { missing } from '../../support/need.js';

const run = promisify(execFile);
const skip = missing('mosquitto_sub', 'mosquitto-clients');
const KEY = '00112233445566778899aabbccddeeff';

const options = (port: number, version = 'mqttv5') => ['-h', '127.0.0.1', '-p', `${port}`, '-V', version];

/** `mosquitto_pub`, and `mosquitto_sub` for so many messages. */
const publish = (...args: string[]) => run('mosquitto_pub', args, { timeout: 20_000 });
const subscribe = (count: number, ...args: string[]) =>
  run('mosquitto_sub', [...args, '-C', `${count}`, '-W', '30'], { maxBuffer: 2 ** 24, encoding: 'buffer' });

async function start(t: Test, script: string, server = '') {
  const test = await startMqtt(script, server);
  t.teardown(test.stop);
  const subscribed = (filter: string) => until(() => [...test.engine.channels.names()].includes(filter));
  return { ...test, subscribed };
}

t.test('properties of MQTT 5', { skip }, async (t) => {
  const test = await start(
    t,
    `function on_message(msg)
      local p = msg.properties
      print(table.concat({ msg.qos, p.content_type, p.response_topic, p.correlation_data, p.user.k, tostring(p.payload_format) }, "|"))
    end`,
  );
  const to = options(test.port());
  const came = subscribe(1, ...to, '-t', 'p/+', '-q', '2', '-F', '%t|%q|%C|%R|%D|%P|%p');
  await test.subscribed('p/+');
  const properties: [name: string, ...values: string[]][] = [
    ['content-type', 'text/plain'],
    ['response-topic', 'answers'],
    ['correlation-data', '7'],
    ['user-property', 'k', 'v'],
    ['payload-format-indicator', '1'],
    ['message-expiry-interval', '60'],
    ['topic-alias', '3'],
  ];
  const set = properties.flatMap((property) => ['-D', 'publish', ...property]);
  await publish(...to, '-t', 'p/x', '-q', '2', '-m', 'grüß', ...set);
  t.equal((await came).stdout.toString(), 'p/x|2|text/plain|answers|7|k:v|grüß\n');
  t.ok(test.log.some(({ message }) => message.startsWith('2|text/plain|answers|7|v|')));
});

t.test('retained messages and wills', { skip }, async (t) => {
  const test = await start(t, '');
  for (const version of ['mqttv311', 'mqttv5']) {
    const to = options(test.port(), version);
    await publish(...to, '-t', 'kept', '-q', '1', '-r', '-m', version);
    const kept = await subscribe(1, ...to, '-t', 'kept', '-F', '%r %p');
    t.equal(kept.stdout.toString(), `1 ${version}\n`);
    const watcher = await RawMqtt.connect(test.port(), { clientId: 'watcher' });
    await watcher.subscribe('will', 2);
    const will = ['--will-topic', 'will', '--will-payload', 'gone', '--will-qos', '2'];
    const lost = execFile('mosquitto_sub', [...to, '-t', 'nothing', ...will]);
    await test.subscribed('nothing');
    lost.kill('SIGKILL');
    t.match(await watcher.next('publish'), { qos: 2, payload: Buffer.from('gone') });
    watcher.lose();
    await until(() => test.engine.clients.size === 0);
  }
});

t.test('large payloads', { skip }, async (t) => {
  const test = await start(t, '', 'limits: { frameBytes: 4MiB, sendBufferBytes: 8MiB }');
  const payload = randomBytes(3_000_000);
  const file = join(test.folder, 'payload');
  writeFileSync(file, payload);
  for (const qos of ['0', '2']) {
    const to = [...options(test.port()), '-q', qos, '-t', `large/${qos}`];
    const came = subscribe(1, ...to, '-N');
    await test.subscribed(`large/${qos}`);
    await publish(...to, '-f', file);
    t.ok(payload.equals((await came).stdout), `QoS ${qos}`);
  }
});

t.test('TLS with client certificates', { skip: skip || missing('openssl', 'openssl') }, async (t) => {
  const { ca, server, client } = makeCertificates(t);
  const script = 'function on_connect(id, conn) print("in: " .. conn:tls().subject.CN) end';
  const test = await start(t, script, `tls: { cert: ${server.cert}, key: ${server.key}, ca: ${ca} }`);
  const to = [...options(test.port()), '--cafile', ca];
  const known = ['--cert', client.cert, '--key', client.key];
  const came = subscribe(1, ...to, ...known, '-t', 'x', '-q', '1');
  await test.subscribed('x');
  await publish(...to, ...known, '-t', 'x', '-q', '1', '-m', 'secret');
  t.equal((await came).stdout.toString(), 'secret\n');
  t.equal(test.log.filter(({ message }) => message === 'in: client').length, 2);
  await t.rejects(publish(...to, '-t', 'x', '-q', '1', '-m', 'without a certificate'));
  const other = makeCertificates(t);
  await t.rejects(
    publish(...to, '--cert', other.client.cert, '--key', other.client.key, '-t', 'x', '-m', 'x'),
  );
  await t.rejects(publish(...options(test.port()), '--cafile', other.ca, ...known, '-t', 'x', '-m', 'x'));
});

t.test('pre-shared keys', { skip: skip || missing('openssl', 'openssl') }, async (t) => {
  const { folder } = makeCertificates(t);
  const keys = join(folder, 'keys.psk');
  writeFileSync(keys, `meter-1:${KEY}\n`);
  const test = await start(
    t,
    'function on_connect(id, conn) print("in: " .. conn:tls().psk_identity) end',
    `tls: { psk: ${keys} }`,
  );
  const to = options(test.port());
  const known = ['--psk', KEY, '--psk-identity', 'meter-1'];
  const came = subscribe(1, ...to, ...known, '-t', 'x');
  await test.subscribed('x');
  await publish(...to, ...known, '-t', 'x', '-m', 'by key');
  t.equal((await came).stdout.toString(), 'by key\n');
  t.equal(test.log.filter(({ message }) => message === 'in: meter-1').length, 2);
  const wrong = ['--psk', KEY.replace('0', 'f'), '--psk-identity', 'meter-1'];
  await t.rejects(publish(...to, ...wrong, '-t', 'x', '-m', 'x'));
  await t.rejects(publish(...to, '--psk', KEY, '--psk-identity', 'stranger', '-t', 'x', '-m', 'x'));
});
