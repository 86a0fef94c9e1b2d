/** A worker that ends while its primary is replaced. */

import t from 'tap';
import { childrenOf, idsOf, startWorkers, talking } from '../support/handing-workers.js';
import { end, LineDevice } from '../support/restarting.js';
import { eventually } from '../support/workers.js';

const GOES_ON = /the restart failed; this process goes on/g;
const WAITS = /restart waits at (\S+), process (\d+)/g;

t.test('an old worker is killed: it takes its own connections, the others go on', async (t) => {
  const { gateway, tcp, udp, api } = await startWorkers(t, { MOONWIRE_HANDOVER_PAUSE: 'rested' });
  const { devices, end: endTraffic } = await talking(t, tcp, udp, 20);
  await gateway.begin();
  await gateway.until(WAITS, 1);
  const [, second] = childrenOf(gateway.cli.pid) as [number, number, number];
  end(second);
  process.kill(gateway.cli.pid, 'SIGCONT');
  await gateway.until(GOES_ON, 1);
  await eventually('its connections are gone', () => devices.filter(({ closed }) => closed).length === 10);
  t.equal((await LineDevice.connect(t, tcp)).wrong, undefined);
  await eventually('there is another one', () => childrenOf(gateway.cli.pid).length === 2);
  t.same(await endTraffic(), []);
  t.same(devices.filter(({ closed }) => closed).length, 10);
  await eventually('clients get to the new one', async () => {
    await LineDevice.connect(t, tcp);
    return new Set((await idsOf(api)).map((id) => Math.floor(Number(id) / 2 ** 33))).size === 2;
  });
});
