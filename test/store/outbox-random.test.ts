import { randomInt } from 'node:crypto';
import t from 'tap';
import { openOutbox, TestTaker, until } from './outbox-support.js';

t.test(
  'links that come and go, takers that take or not, little room: each report arrives or is counted',
  async (t) => {
    const folder = t.testdir();
    const arrived = new Set<string>();
    let [reported, dropped] = [0, 0];
    for (let restart = 0; restart < 3; restart++) {
      const outbox = await openOutbox(folder, { maxBytes: 2 ** 20, memoryBytes: 2 ** 18, spillDelay: 0.02 });
      const note = (taker: TestTaker): void => {
        for (const device of taker.devices()) arrived.add(device);
      };
      let taker: TestTaker | undefined;
      for (let step = 0; step < 150; step++) {
        const chance = randomInt(10);
        if (chance === 0) {
          if (taker) note(taker);
          taker = randomInt(2) === 0 ? undefined : new TestTaker(outbox);
          outbox.connect(taker);
        } else if (chance === 1 && taker) {
          taker.acknowledges = !taker.acknowledges;
        } else if (chance === 2 && taker) {
          taker.accepts = { live: randomInt(2) === 0, backlog: randomInt(2) === 0 };
          outbox.ready('live');
          outbox.ready('backlog');
        }
        const some = Array.from({ length: randomInt(60) }, async () =>
          outbox.report({
            deviceId: `r${reported++}`,
            values: 'x'.repeat(randomInt(500)),
            durable: randomInt(8) === 0,
            ...(randomInt(5) === 0 && { topic: 'alarm' }),
          }),
        );
        const failed = (await Promise.allSettled(some)).filter(({ status }) => status === 'rejected');
        dropped += failed.length;
        if (randomInt(4) === 0) await new Promise((resolve) => setTimeout(resolve, randomInt(20)));
      }
      if (taker) note(taker);
      if (restart === 2) {
        const last = new TestTaker(outbox);
        outbox.connect(last);
        await until(() => outbox.status().records === 0);
        note(last);
      }
      dropped += outbox.status().counters.dropped.full;
      t.ok(outbox.status().records >= 0);
      await outbox.close();
    }
    const missing = reported - arrived.size;
    t.ok(missing <= dropped, `${missing} of ${reported} did not arrive, ${dropped} were dropped or refused`);
    const again = await openOutbox(folder);
    t.equal(again.status().records, 0);
    t.equal(again.status().damagedParts, 0);
    await again.close();
  },
);
