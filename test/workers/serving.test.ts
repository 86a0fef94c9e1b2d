/** Two workers are one engine to its clients, its scripts and whoever asks its API. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { WebSocket } from 'ws';
import { joinLines, publishTo } from '../support/cluster.js';
import { Device } from '../support/engine.js';
import { readExposition } from '../support/exposition.js';
import { eventually, startPrimary } from '../support/workers.js';

const CLIENTS = 200;

t.test('an engine of two workers, alone', async (t) => {
  const primary = await startPrimary(t, {
    scripts: {
      'reports.lua': `
function protocol_input(buf) return buf:tostring():find("\\n", 1, true) or 0 end
function protocol_decode(line) return line:sub(1, -2) end
function on_message(line, conn)
  conn:attach(line)
  mix.report(line, { n = 1 }, { durable = true })
  conn:send("ok\\n")
end
function on_command(cmd, conn) return cmd.params end
`,
    },
    servers: `    - { name: lines, port: PORT0, bind: 127.0.0.1, entry: lua/lines.lua }
    - { name: reports, port: PORT1, bind: 127.0.0.1, entry: lua/reports.lua }`,
    more: 'sinks: [{ name: out, file: { path: FOLDER/out.jsonl } }]',
  });
  t.same(await primary.joined(2), ['barn-1', 'barn-2']);

  await t.test('connections are spread evenly, and each is served', async (t) => {
    const devices = await Promise.all(Array.from({ length: CLIENTS }, () => joinLines(t, primary)));
    t.same(await primary.clients(), [CLIENTS / 2, CLIENTS / 2]);
    t.equal(new Set(devices.map(({ id }) => id)).size, CLIENTS, 'ids of their own');
    await publishTo(devices[0]!, CLIENTS, 'hello');
    for (const device of devices) await device.until((text) => text.includes('< hello\n'));

    const { clients } = await primary.get<{ clients: { id: string }[] }>('/v1/clients?limit=1000');
    t.same(new Set(clients.map(({ id }) => id)), new Set(devices.map(({ id }) => id)));
    const [one, other] = [
      devices[0]!,
      devices.find(({ id }) => id.slice(0, 4) !== devices[0]!.id.slice(0, 4))!,
    ];
    one.send(`to ${other.id} from-${one.id}\n`);
    await other.until((text) => text.includes(`< from-${one.id}\n`));
    for (const device of devices.slice(0, 4)) {
      const answer = await primary.post('/v1/mesh/send', { c: device.id, d: 'by the API' });
      t.same(answer, { E: null, r: { s: true } });
      await device.until((text) => text.includes('< by the API\n'));
    }
    t.match(await primary.post('/v1/mesh/publish', { c: 'all', d: 'to all' }), { r: { s: CLIENTS, f: 0 } });
    await primary.request('DELETE', `/v1/clients/${other.id}`);
    await eventually('it is closed', () => other.closed);
  });

  await t.test('pages of clients follow each other', async (t) => {
    await eventually('all are gone', async () => (await primary.clients()).every((count) => count === 0));
    const ids = (await Promise.all(Array.from({ length: 7 }, () => joinLines(t, primary)))).map(
      ({ id }) => id,
    );
    const found: string[] = [];
    let after = '';
    for (let page = 0; page < 10; page++) {
      type Page = { clients: { id: string }[]; next?: string };
      const { clients, next } = await primary.get<Page>(`/v1/clients?limit=2${after}`);
      found.push(...clients.map(({ id }) => id));
      if (next === undefined) break;
      after = `&after=${next}`;
    }
    t.same(
      found,
      ids.sort((a, b) => Number(a) - Number(b)),
    );
    const { clients } = await primary.get<{ clients: unknown[] }>('/v1/clients?engine=barn-2');
    t.ok(clients.length === 3 || clients.length === 4, `${clients.length}`);
  });

  await t.test('queues, traces, channels, metrics and health', async (t) => {
    const devices = await Promise.all(Array.from({ length: 2 }, () => joinLines(t, primary)));
    const socket = new WebSocket(`ws://127.0.0.1:${primary.api}/ws/v1`);
    const events: { e?: string; p: { d: unknown; c: string } }[] = [];
    socket.on('message', (data) => events.push(JSON.parse(String(data))));
    t.teardown(() => socket.terminate());
    await new Promise((resolve) => socket.once('open', resolve));
    devices[0]!.send('push before\n');
    await devices[0]!.until((text) => text.includes('\n1\n'));
    socket.send(JSON.stringify({ m: 'queue.pop', p: { t: ['work'] }, i: 1 }));
    const popped = () => events.filter(({ e }) => e === 'queue.pop');
    // Which of two workers is heard first, nobody knows.
    await eventually('what waited is popped', () => popped().length === 1);
    for (let i = 0; i < 300; i++) for (const device of devices) device.send(`push ${i}\n`);
    await eventually('all messages are popped', () => popped().length === 601);
    t.equal(popped()[0]!.p.d, 'before');
    for (const { id } of devices)
      t.same(
        popped()
          .filter(({ p }) => p.c === id && p.d !== 'before')
          .map(({ p }) => p.d),
        Array.from({ length: 300 }, (_, i) => String(i)),
        'in order',
      );

    const { channels } = await primary.get<{ channels: object[] }>('/v1/channels');
    t.same(channels, [{ name: 'all', subscribers: 2 }]);

    const trace = await fetch(`http://127.0.0.1:${primary.api}/v1/clients/${devices[1]!.id}/trace`);
    const reader = trace.body!.getReader();
    devices[1]!.send('traced\n');
    let traced = '';
    while (!traced.includes(Buffer.from('traced\n').toString('hex')))
      traced += Buffer.from((await reader.read()).value!).toString();
    devices[1]!.socket.destroy();
    while (!traced.includes('event: end')) {
      const { value, done } = await reader.read();
      if (done) break;
      traced += Buffer.from(value).toString();
    }
    t.match(traced, /"event":"close"/);

    const samples = readExposition((await primary.get<string>('/metrics')) as string);
    const clients = samples.filter(
      ({ name, labels }) => name === 'moonwire_clients' && labels.server === 'lines',
    );
    t.same(
      clients.map(({ labels }) => labels.worker),
      ['barn-1', 'barn-2'],
    );
    const passed = samples.filter(({ name }) => name === 'moonwire_worker_connections_total');
    t.equal(
      passed.reduce((sum, { value }) => sum + value, 0),
      CLIENTS + 7 + 2,
    );
    t.match(await primary.get('/v1/health'), { status: 'ok', ready: true, reasons: [] });
  });

  await t.test('devices, commands and reports', async (t) => {
    const ids = Array.from({ length: 6 }, (_, i) => `device-${i}`);
    for (const id of ids) {
      const device = await Device.connect(primary.ports[1]!);
      t.teardown(() => device.socket.destroy());
      device.send(`${id}\n`);
      await device.until((text) => text === 'ok\n');
    }
    await primary.until<{ devices: { id: string }[] }>(
      '/v1/devices?attached=true',
      (body) => body.devices.length === 6,
    );
    for (const id of ids) {
      const { id: command } = await primary.post<{ id: string }>(`/v1/devices/${id}/commands`, {
        name: 'set',
        params: { of: id },
      });
      const done = await primary.until<{ state: string; result: unknown }>(
        `/v1/commands/${command}`,
        ({ state }) => state === 'done',
      );
      t.same(done.result, { of: id });
    }
    const file = join(primary.folder, 'out.jsonl');
    await eventually('all reports are in the sink', () => readLines(file).length === 6);
    t.same(
      readLines(file)
        .map(({ device_id }) => device_id)
        .sort(),
      ids,
    );
    t.match(await primary.get('/v1/sinks'), { sinks: [{ name: 'out', delivered: 6 }] });
    t.match(await primary.get('/v1/outbox'), { reports: 6 });
  });

  const { code, stderr } = await primary.cli!.stop('SIGTERM');
  t.equal(code, 0);
  t.match(stderr, /"msg":"stopped"/);
});

function readLines(file: string): { device_id: string }[] {
  try {
    return readFileSync(file, 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line));
  } catch {
    return [];
  }
}
