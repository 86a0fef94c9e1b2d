import t from 'tap';
import { Devices } from '../../src/center/devices.js';
import type { EngineRecord } from '../../src/center/engine-record.js';
import { Registry } from '../../src/center/registry.js';
import { silentLogger } from '../../src/log.js';
import { MemoryKeyValue } from '../../src/store/keyvalue.js';
import type { ReportRecord } from '../../src/store/reported.js';

const report = (device: string, time: number | null, values: unknown = {}): ReportRecord => [
  1,
  device,
  time,
  0,
  values,
  'topic',
  null,
];
const from = (at: number) => ({ node: 1, engine: 'barn', at });

t.test('what was heard last', async (t) => {
  const map = new MemoryKeyValue();
  const devices = new Devices(map, silentLogger);
  devices.observe(from(1000), report('a', 990, { n: 1 }));
  t.match(devices.stateOf('a'), { seen: 990, engine: 'barn', report: { time: 990, values: { n: 1 } } });
  devices.observe(from(1001), report('a', 500, { n: 0 }));
  t.match(devices.stateOf('a'), { seen: 990, report: { values: { n: 1 } } }, 'a backlog comes late');
  devices.observe(from(1002), report('a', 9e9, { n: 2 }));
  t.match(
    devices.stateOf('a'),
    { seen: 1002, report: { time: 9e9, values: { n: 2 } } },
    'its clock is ahead',
  );
  devices.observe(from(1003), report('a', null, { n: 3 }));
  t.match(devices.stateOf('a'), { seen: 1003, report: { time: 1003, values: { n: 3 } } }, 'it has no clock');
  devices.observe(from(1004), report('a', 1004, { text: 'x'.repeat(5000) }));
  t.equal(devices.stateOf('a')!.report!.values, undefined, 'values too long to be kept');
  devices.observe(from(1005), report('a', 1005, [{ name: 'p', value: 1 }]));
  devices.attached('b', 'stable');
  t.match(devices.stateOf('b'), { engine: 'stable', report: undefined });
  devices.observe(from(1006), report('x'.repeat(300), 1006));
  t.same([...devices.ids()], ['a', 'b'], 'no id that is longer than any');
  await devices.label('a', { site: 'north' });
  await devices.label('c', { site: 'south' });
  await t.rejects(devices.label('', { a: 'b' }), { code: 'invalid_argument' });
  devices.stop();

  await map.set('s/spoiled', new Uint8Array([0xff]));
  const again = new Devices(map, silentLogger);
  t.teardown(() => again.stop());
  t.strictSame(again.stateOf('a'), devices.stateOf('a'));
  t.same([...again.ids()].sort(), ['a', 'b', 'c']);
  t.same(again.labelsOf('a'), { site: 'north' });
  await again.label('a', {});
  t.equal(again.labelsOf('a'), undefined);
  t.equal(await again.forget('c'), true);
  t.equal(await again.forget('c'), false);
});

t.test('those not heard for longest give way', async (t) => {
  const devices = new Devices(new MemoryKeyValue(40_000), silentLogger);
  t.teardown(() => devices.stop());
  for (let i = 0; i < 1000; i++) devices.observe(from(i), report(`device-${i}`, i));
  t.ok(devices.size > 100 && devices.size <= 200, `${devices.size} devices`);
  t.equal(devices.size + devices.counters.dropped, 1000);
  t.ok(devices.stateOf('device-999'));
  // Labels find room too, and are never dropped.
  for (let i = 0; i < 200; i++) await devices.label(`device-${i}`, { n: String(i) });
  t.equal(devices.labelsOf('device-0')!.n, '0');
  await t.rejects(
    (async () => {
      for (let i = 0; i < 1000; i++) await devices.label(`more-${i}`, { n: String(i) });
    })(),
    { code: 'queue_full' },
  );
  t.equal(devices.labelsOf('device-0')!.n, '0');
});

t.test('a device that goes to another engine, and comes back', async (t) => {
  const registry = new Registry();
  const told: string[] = [];
  registry.onDevice = (device, node) => told.push(`${device} ${node}`);
  const record = (node: number): EngineRecord => registry.newRecord(node);
  const [a, b] = [record(1), record(2)];
  let [n, m] = [0, 0];
  const attach = (client: number) => ({ add: [['d', client] as const], del: [] });
  const detach = { add: [], del: ['d'] };
  a.apply({ t: 'reg', n: n++, full: true, devices: attach(11) });
  b.apply({ t: 'reg', n: m++, full: true });
  b.apply({ t: 'reg', n: m++, devices: attach(22) });
  t.match(registry.device('d'), { node: 2, client: 22 }, 'the newest wins');
  b.apply({ t: 'reg', n: m++, devices: detach });
  t.match(registry.device('d'), { node: 1, client: 11 }, 'it is still where it was before');
  b.apply({ t: 'reg', n: m++, devices: attach(23) });
  a.apply({ t: 'reg', n: n++, devices: detach });
  t.match(registry.device('d'), { node: 2, client: 23 });
  a.apply({ t: 'reg', n: 0, full: true, devices: attach(12) });
  t.match(registry.device('d'), { node: 2 }, 'what is told once more may be old');
  b.clear();
  t.match(registry.device('d'), { node: 1, client: 12 }, 'its engine is gone');
  a.clear();
  t.equal(registry.device('d'), undefined);
  t.same([...registry.deviceIds()], []);
  t.same(told, ['d 1', 'd 2', 'd 1', 'd 2', 'd 1']);
});
