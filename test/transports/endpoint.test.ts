import { mock } from 'node:test';
import t from 'tap';
import type { Connection } from '../../src/transports/connection.js';
import { END_MS } from '../../src/transports/endpoint.js';
import { memoryPair } from '../../src/transports/memory.js';
import { Recorder } from './recorder.js';

t.test('end is cut off when the peer does not take the rest', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.teardown(() => mock.timers.reset());
  const endStuck = (): [Recorder, Connection] => {
    const [near, far] = memoryPair();
    const recorder = new Recorder(near);
    new Recorder(far);
    far.pause();
    near.write(Buffer.from('never taken'));
    near.end();
    return [recorder, far];
  };
  const [cut] = endStuck();
  mock.timers.tick(END_MS - 1);
  t.equal(cut.closes.length, 0);
  const [resumed, far] = endStuck();
  mock.timers.tick(1);
  t.match(await cut.closed(), { code: 'timeout', message: '11 bytes were not taken within 10 s' });
  far.resume();
  t.equal(await resumed.closed(), undefined);
  mock.timers.tick(END_MS);
  t.equal(resumed.closes.length, 1);
});
