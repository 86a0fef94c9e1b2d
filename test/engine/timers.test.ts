import t from 'tap';
import { Timers } from '../../src/engine/timers.js';

t.test('in another process timers fire when they would have, however long it took', async (t) => {
  const before = new Timers(() => {});
  const after = new Timers(() => {});
  t.teardown(() => {
    before.end();
    after.end();
  });
  const [minute, hour, second] = [60, 3600, 60].map((seconds) => before.start(seconds, undefined, true)!);
  const once = before.start(60, undefined, false)!;
  await new Promise((resolve) => setTimeout(resolve, 20));
  before.freeze();
  const phases = structuredClone(before.save());
  await new Promise((resolve) => setTimeout(resolve, 20));
  after.freeze();
  // As the script starts them now: another order, and one that is new.
  const started = [
    after.start(3600, undefined, true)!,
    after.start(60, undefined, false)!,
    after.start(60, undefined, true)!,
    after.start(7, undefined, true)!,
    after.start(60, undefined, true)!,
  ];
  const fresh = started[3]!.due;
  after.restore(phases);
  const expected = [hour!.due, once.due, minute!.due, fresh, second!.due];
  for (const [i, timer] of started.entries())
    t.ok(Math.abs(timer.due - expected[i]!) < 1, `timer ${i} is due as before`);
});
