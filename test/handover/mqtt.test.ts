import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { RawMqtt } from '../support/mqtt.js';
import { freePorts } from '../support/ports.js';
import { Restarting } from '../support/restarting.js';

t.test('MQTT: connections, sessions and retained messages go on', async (t) => {
  const [port, api, mesh] = (await freePorts(3)) as [number, number, number];
  const folder = t.testdir({ 'm.lua': 'function on_message(message, conn) end' });
  const file = join(folder, 'x.yaml');
  writeFileSync(
    file,
    `
engine:
  name: kept
  apiServer: { port: ${api} }
  meshPoint: { port: ${mesh} }
  servers: [{ name: m, port: ${port}, bind: 127.0.0.1, protocol: mqtt, entry: ${folder}/m.lua }]
store: { path: ${folder}/data }
`,
  );
  const gateway = await Restarting.start(t, file);
  const open: RawMqtt[] = [];
  t.teardown(() => {
    for (const client of open) client.lose();
  });
  const connect = async (clientId: string, clean = false) => {
    const client = await RawMqtt.connect(port, { clientId, clean });
    open.push(client);
    return client;
  };
  const stays = await connect('stays');
  await stays.subscribe('news/#', 1);
  const away = await connect('away');
  await away.subscribe('news/#', 1);
  away.send({ cmd: 'disconnect' });
  await away.end();
  const tells = await connect('tells', true);
  tells.publish('news/kept', 'retained', { qos: 1, messageId: 1, retain: true });
  await tells.next('puback');
  // Confirmed in the new process only.
  const first = await stays.next('publish');

  await gateway.restart();
  stays.send({ cmd: 'puback', messageId: first.messageId! });
  await stays.settle();
  t.same(
    stays.packets.map(({ cmd }) => cmd),
    [],
    'nothing is sent twice',
  );
  tells.publish('news/next', 'after', { qos: 1, messageId: 2 });
  await tells.next('puback');
  const next = await stays.next('publish');
  t.same([next.topic, String(next.payload)], ['news/next', 'after']);
  t.not(next.messageId, first.messageId);

  const back = await connect('away');
  t.equal(back.connack.sessionPresent, true);
  const missed = [await back.next('publish'), await back.next('publish')];
  t.same(
    missed.map(({ topic, payload }) => [topic, String(payload)]),
    [
      ['news/kept', 'retained'],
      ['news/next', 'after'],
    ],
  );
  const late = await connect('late', true);
  await late.subscribe('news/kept');
  const retained = await late.next('publish');
  t.same([String(retained.payload), retained.retain], ['retained', true]);
  t.same([stays.closed, tells.closed], [false, false]);
});
