import t from 'tap';
import { LogThrottle } from '../src/log.js';

t.test('a repeated line passes once an interval and tells how many were held back', async (t) => {
  const throttle = new LogThrottle(1000, 2);
  t.equal(throttle.pass('a', 0), 0);
  t.equal(throttle.pass('a', 10), -1);
  t.equal(throttle.pass('a', 999), -1);
  t.equal(throttle.pass('a', 1000), 2);
});

t.test('the number of keys is bounded', async (t) => {
  const throttle = new LogThrottle(1000, 2);
  for (const key of ['a', 'b', 'c']) t.equal(throttle.pass(key, 0), 0);
  t.equal(throttle.pass('c', 1), -1);
});
