import t from 'tap';
import * as v from 'valibot';
import { type DeviceInfo, deviceInfo } from '../../src/api/shapes.js';
import { startBoth, untilIs } from '../support/both.js';

t.test('devices', async (t) => {
  const running = await startBoth(t);
  const { request } = running;
  const device = await running.attach('meter-1', 'hello');
  await running.attach('meter-2');
  const seen = await untilIs<DeviceInfo>(
    running,
    '/v1/devices/meter-1',
    ({ report, attached }) => attached && report !== undefined,
  );
  t.ok(v.safeParse(deviceInfo, seen).success);
  t.match(seen, { attached: true, engine: 'barn', report: { values: { text: 'hello' }, topic: 'words' } });
  t.ok(Math.abs(seen.last_seen! - Date.now() / 1000) < 60);
  await untilIs<DeviceInfo>(running, '/v1/devices/meter-2', ({ attached }) => attached === true);

  const labels = { site: 'north', ü: '' };
  t.equal((await request('POST', '/v1/devices/meter-1/labels', { labels })).status, 204);
  t.equal((await request('POST', '/v1/devices/never/labels', { labels: { site: 'south' } })).status, 204);
  t.equal((await request('POST', '/v1/devices/meter-1/labels', { labels: { a: 1 } })).status, 400);
  t.equal((await request('DELETE', '/v1/devices/meter-1')).status, 409, 'it is attached');
  device.socket.destroy();
  await untilIs<DeviceInfo>(running, '/v1/devices/meter-1', ({ attached }) => attached === false);

  const ids = async (query = ''): Promise<string[]> =>
    (await request('GET', `/v1/devices?${query}`)).body.devices.map(({ id }: DeviceInfo) => id);
  t.same(await ids(), ['meter-1', 'meter-2', 'never']);
  t.same(await ids('attached=true'), ['meter-2']);
  t.same(await ids('attached=false&engine=barn'), ['meter-1']);
  t.same(await ids('label=site=north'), ['meter-1']);
  t.same(await ids('limit=1&after=meter-1'), ['meter-2']);
  t.equal((await request('GET', '/v1/devices?label=site')).status, 400);

  await running.restartCenter();
  const after = await request('GET', '/v1/devices/meter-1');
  t.match(after.body, {
    attached: false,
    labels,
    report: { values: { text: 'hello' } },
    last_seen: seen.last_seen,
  });
  t.equal((await request('DELETE', '/v1/devices/meter-1')).status, 204);
  t.equal((await request('GET', '/v1/devices/meter-1')).status, 404);
  t.equal((await request('DELETE', '/v1/devices/meter-1')).status, 404);
});
