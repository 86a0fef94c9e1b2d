import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { freePorts } from '../support/ports.js';
import { DATAGRAMS, DatagramDevice, LINES, LineDevice, Restarting } from '../support/restarting.js';

async function configured(t: Test, more = ''): Promise<{ file: string; folder: string; ports: number[] }> {
  const [tcp, udp, api, mesh] = await freePorts(4);
  const folder = t.testdir({ 'lines.lua': LINES, 'datagrams.lua': DATAGRAMS });
  const file = join(folder, 'x.yaml');
  writeFileSync(
    file,
    `
engine:
  name: kept
  apiServer: { port: ${api} }
  meshPoint: { port: ${mesh} }
  servers:
    - { name: lines, port: ${tcp}, bind: 127.0.0.1, entry: ${folder}/lines.lua }
    - { name: datagrams, port: ${udp}, bind: 127.0.0.1, transport: udp, entry: ${folder}/datagrams.lua }
${more}
store: { path: ${folder}/data }
`,
  );
  return { file, folder, ports: [tcp!, udp!, api!] };
}

async function clientsOf(api: number): Promise<{ id: string; remote: string }[]> {
  const answer = await fetch(`http://127.0.0.1:${api}/v1/clients?limit=1000`);
  return ((await answer.json()) as { clients: { id: string; remote: string }[] }).clients.map(
    ({ id, remote }) => ({ id, remote }),
  );
}

t.test('two restarts under load: TCP and UDP are byte-exact, and nobody is closed', async (t) => {
  const { file, ports } = await configured(t);
  const [tcp, udp, api] = ports as [number, number, number];
  const gateway = await Restarting.start(t, file);
  const devices: LineDevice[] = [];
  for (let i = 0; i < 500; i += 50)
    devices.push(...(await Promise.all(Array.from({ length: 50 }, () => LineDevice.connect(t, tcp)))));
  const datagrams = await Promise.all(Array.from({ length: 40 }, () => DatagramDevice.connect(t, udp)));
  await Promise.all(datagrams.map((device) => device.answer()));
  let turn = 0;
  const traffic = setInterval(() => {
    for (let i = 0; i < 50; i++) devices[turn++ % devices.length]!.send();
  }, 20);
  t.teardown(() => clearInterval(traffic));
  const before = await clientsOf(api);
  const next = await gateway.restart();
  await LineDevice.connect(t, tcp);
  await gateway.restart(next);
  clearInterval(traffic);
  await Promise.all([...devices, ...datagrams].map((device) => device.settle()));
  t.same(
    [...devices, ...datagrams].map(({ wrong }) => wrong).filter((wrong) => wrong !== undefined),
    [],
  );
  t.same(devices.filter(({ closed }) => closed).length, 0);
  t.ok(devices.every(({ answered, sent }) => answered === sent && sent > 0));
  const after = await clientsOf(api);
  t.same(
    after.filter(({ id }) => before.some((client) => client.id === id)),
    before,
    'with the ids they had',
  );
  t.match(gateway.cli.stderr, /"clients":540,"listeners":2,"closed":\{\}/);
});

type Change = (folder: string, file: string, t: Test) => void | Promise<void>;

/** Begins to listen, and adds a server there, which opens after the others have taken their clients over. */
async function takePort(_folder: string, file: string, t: Test): Promise<void> {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  t.teardown(() => other.close());
  const { port } = other.address() as AddressInfo;
  const before = readFileSync(file, 'utf8');
  const last = before.match(/ {4}- \{ name: datagrams.*\n/)![0];
  const added = last.replace(/name: datagrams, port: \d+/, `name: taken, port: ${port}`);
  writeFileSync(file, before.replace(last, last + added.replace('transport: udp', 'transport: tcp')));
}

const BAD: [name: string, change: Change, reason: RegExp][] = [
  [
    'a script that does not compile',
    (folder) => writeFileSync(join(folder, 'lines.lua'), 'function ('),
    /lines\.lua/,
  ],
  [
    'a script that loops in init',
    (folder) => writeFileSync(join(folder, 'lines.lua'), `${LINES}\nfunction init() while true do end end`),
    /budget|instructions/,
  ],
  [
    'a configuration that is not valid',
    (_, file) => writeFileSync(file, readFileSync(file, 'utf8').replace('engine:', 'motor:')),
    /did not take over: [^\n]*motor/,
  ],
  ['a port that is taken', takePort, /did not take over: [^\n]*is taken/],
];

for (const [name, change, reason] of BAD) {
  t.test(`${name}: the old process goes on as if nothing had happened`, async (t) => {
    const { file, folder, ports } = await configured(t);
    const [tcp, udp, api] = ports as [number, number, number];
    const gateway = await Restarting.start(t, file);
    const devices = await Promise.all(Array.from({ length: 20 }, () => LineDevice.connect(t, tcp)));
    const datagram = await DatagramDevice.connect(t, udp);
    await datagram.answer();
    const before = await clientsOf(api);
    const traffic = setInterval(() => {
      for (const device of devices) device.send();
    }, 10);
    t.teardown(() => clearInterval(traffic));
    await change(folder, file, t);
    await gateway.begin();
    await gateway.until(/the restart failed; this process goes on/g);
    t.match(gateway.cli.stderr, reason);
    clearInterval(traffic);
    for (const device of [...devices, datagram]) await device.settle();
    t.same([...devices, datagram].map(({ wrong }) => wrong).filter(Boolean), []);
    t.same(await clientsOf(api), before);
    const late = await LineDevice.connect(t, tcp);
    t.equal(late.answered, 1);
    const { code } = await gateway.cli.stop('SIGTERM');
    t.equal(code, 0);
  });
}
