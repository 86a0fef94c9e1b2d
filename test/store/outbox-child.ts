/** An engine's outbox for tests to kill: reports without end, and tells which durable ones have returned. */

import { Clock } from '../../src/store/clock.js';
import { MemoryKeyValue } from '../../src/store/keyvalue.js';
import { openOutbox, TestTaker } from './outbox-support.js';

const [folder, mode] = process.argv.slice(2) as [string, 'alone' | 'linked'];
const outbox = await openOutbox(folder, { maxBytes: 4 * 2 ** 20, clock: new Clock(new MemoryKeyValue()) });
// The parent's end must not leave this process behind.
process.once('disconnect', () => process.exit());

if (mode === 'linked') {
  // What the taker has is told before it is acknowledged, as a centre would have it on disk.
  const taker = new TestTaker(outbox);
  taker.acknowledges = false;
  outbox.connect({
    offer(lane, batch) {
      taker.offer(lane, batch);
      const taken = batch.records.map(([seq, device]) => [batch.epoch, seq, device] as const);
      process.send!({ taken }, undefined, {}, () => taker.acknowledge(batch));
      return true;
    },
  });
}

process.send!({ records: outbox.status().records });
for (let n = 0; ; n++) {
  const device = `${outbox.epoch}-${n}`;
  const durable = n % 3 === 0;
  const done = outbox.report({ deviceId: device, values: { n, text: 'x'.repeat(n % 300) }, durable });
  if (done) void done.then(() => process.send!({ returned: device }));
  if (n % 5 === 4) await done;
  await new Promise((resolve) => setTimeout(resolve, 1));
}
