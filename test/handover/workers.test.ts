import t from 'tap';
import { childrenOf, idsOf, startWorkers, talking } from '../support/handing-workers.js';
import { LineDevice } from '../support/restarting.js';

t.test(
  'with workers: two restarts under load, TCP and UDP are byte-exact, and nobody is closed',
  async (t) => {
    const { gateway, tcp, udp, api } = await startWorkers(t);
    const { devices, end } = await talking(t, tcp, udp, 100, 10);
    const before = await idsOf(api);
    t.equal(before.length, 110);
    const next = await gateway.restart();
    await LineDevice.connect(t, tcp);
    const last = await gateway.restart(next);
    t.same(await end(), []);
    t.same(devices.filter(({ closed }) => closed).length, 0);
    const after = await idsOf(api);
    t.same(
      before.filter((id) => !after.includes(id)),
      [],
      'with the ids they had',
    );
    t.match(gateway.cli.stderr, /"clients":110,"listeners":2,"closed":\{\}/);
    t.equal(childrenOf(last).length, 2);
    const late = await LineDevice.connect(t, tcp);
    t.equal(late.wrong, undefined);
  },
);
