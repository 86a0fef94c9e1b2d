/** What keeps a restart with workers from succeeding, and what becomes of the devices. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { childrenOf, idsOf, startWorkers, talking } from '../support/handing-workers.js';
import { end, LINES, LineDevice } from '../support/restarting.js';

const GOES_ON = /the restart failed; this process goes on/g;
const WAITS = /restart waits at (\S+), process (\d+)/g;

t.test('what takes over fails: all goes on; the old primary is killed: what takes over serves', async (t) => {
  const { gateway, folder, tcp, udp, api } = await startWorkers(t, { MOONWIRE_HANDOVER_PAUSE: 'adopted' });
  const { devices, end: endTraffic } = await talking(t, tcp, udp, 20);
  const before = await idsOf(api);

  // `init` runs in the new workers only, when the old ones have closed their stores.
  writeFileSync(join(folder, 'lines.lua'), `${LINES}\nfunction init() while true do end end`);
  await gateway.begin();
  await gateway.until(GOES_ON, 1);
  t.match(gateway.cli.stderr, /did not take over: [^\n]*(budget|instructions)/);
  t.same(await idsOf(api), before);
  writeFileSync(join(folder, 'lines.lua'), LINES);

  const second = await gateway.begin();
  await gateway.until(WAITS, 1);
  end(childrenOf(second)[0]!);
  await gateway.until(GOES_ON, 2);
  t.same(await idsOf(api), before, 'a new worker was killed');

  const third = await gateway.begin();
  await gateway.until(WAITS, 2);
  end(third);
  await gateway.until(GOES_ON, 3);
  t.same(await idsOf(api), before, 'the new primary was killed');

  const fourth = await gateway.begin();
  await gateway.until(WAITS, 3);
  const old = childrenOf(gateway.cli.pid);
  end(gateway.cli.pid);
  await gateway.until(/has taken over/g, 1);
  t.same(await idsOf(api), before, 'the old primary was killed');
  t.equal(childrenOf(fourth).filter((pid) => old.includes(pid)).length, 0);
  t.same(await endTraffic(), []);
  t.same(devices.filter(({ closed }) => closed).length, 0);
  t.equal((await LineDevice.connect(t, tcp)).wrong, undefined);
});
