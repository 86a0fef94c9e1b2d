import t from 'tap';
import { Tally } from '../../src/uplink/tally.js';

const MINUTE = 60_000;

t.test('counts add up, and the end comes once all have answered', (t) => {
  const ends: number[][] = [];
  const failures: (string | undefined)[] = [];
  const tally = new Tally(MINUTE, (...counts) => ends.push(counts));
  const first = tally.expect();
  const second = tally.expect((_success, _fail, error) => failures.push(error));
  first(3, 1);
  t.same(ends, [], 'not before all copies are on their way');
  tally.complete();
  t.same(ends, []);
  second(0, 1, 'queue_full: no');
  t.same(ends, [[3, 2]]);
  t.same(failures, ['queue_full: no']);
  t.end();
});

t.test('without copies the end is at once', (t) => {
  const ends: number[][] = [];
  new Tally(MINUTE, (...counts) => ends.push(counts)).complete();
  t.same(ends, [[0, 0]]);
  t.end();
});

t.test('a node that does not answer in time counts as one failure, and is ignored later', async (t) => {
  const ends: number[][] = [];
  let late: ReturnType<Tally['expect']> | undefined;
  await new Promise<void>((resolve) => {
    const tally = new Tally(5, (...counts) => {
      ends.push(counts);
      resolve();
    });
    tally.expect()(7, 0);
    late = tally.expect();
    tally.expect();
    tally.complete();
    // The tally's own timer keeps no process alive.
    setTimeout(resolve, MINUTE).unref();
    const awake = setInterval(() => ends.length > 0 && clearInterval(awake), 1);
  });
  late?.(5, 5);
  t.same(ends, [[7, 2]]);
});
