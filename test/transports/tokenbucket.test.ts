import t from 'tap';
import { TokenBucket } from '../../src/transports/tokenbucket.js';

t.test('lets a burst of one second through, then the rate', async (t) => {
  const start = performance.now() + 1000;
  const bucket = new TokenBucket(10);
  const taken = (now: number, tries: number): number => {
    let count = 0;
    for (let i = 0; i < tries; i++) if (bucket.take(now)) count++;
    return count;
  };
  t.equal(taken(start, 100), 10);
  t.equal(taken(start + 100, 100), 1);
  t.equal(taken(start + 150, 100), 0);
  t.equal(taken(start + 200, 100), 1);
  t.equal(taken(start + 60_000, 100), 10, 'rest is not saved up beyond a second');
});

t.test('a clock that stands still or no limit', async (t) => {
  const none = new TokenBucket(0);
  t.notOk(none.take());
  const free = new TokenBucket(Number.POSITIVE_INFINITY);
  for (let i = 0; i < 1000; i++) if (!free.take(0)) t.fail('Infinity limits nothing');
  t.ok(free.take(0));
});
