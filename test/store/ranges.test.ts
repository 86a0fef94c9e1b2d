import t from 'tap';
import { RangeSet } from '../../src/store/ranges.js';
import { random } from '../support/random.js';

t.test('ranges that touch become one', async (t) => {
  const set = new RangeSet();
  t.ok(set.add(1, 3));
  t.ok(set.add(5));
  t.same(set.toJSON(), [
    [1, 3],
    [5, 5],
  ]);
  t.ok(set.add(4));
  t.same(set.toJSON(), [[1, 5]]);
  t.notOk(set.add(2, 4), 'nothing new');
  t.ok(set.add(0, 9), 'around all');
  t.same(set.toJSON(), [[0, 9]]);
  t.ok(set.has(0) && set.has(9) && !set.has(10));
  t.same(RangeSet.from(set.toJSON()).toJSON(), [[0, 9]]);
});

t.test('beyond the bound the lowest range is forgotten, never the one just added', async (t) => {
  const set = new RangeSet(3);
  for (const sequence of [10, 20, 30, 40]) set.add(sequence);
  t.same(
    set.toJSON().map(([first]) => first),
    [20, 30, 40],
  );
  set.add(1);
  t.same(
    set.toJSON().map(([first]) => first),
    [1, 30, 40],
  );
  t.equal(set.forgotten, 2);
});

t.test('a set of numbers does the same', async (t) => {
  const { below } = random(t);
  for (let round = 0; round < 200; round++) {
    const ranges = new RangeSet();
    const slow = new Set<number>();
    for (let i = 0; i < 60; i++) {
      const first = below(100);
      const last = first + below(1 + below(20));
      let grew = false;
      for (let n = first; n <= last; n++) {
        grew ||= !slow.has(n);
        slow.add(n);
      }
      if (ranges.add(first, last) !== grew) t.fail(`add ${first} ${last}`);
    }
    const listed = ranges.toJSON();
    const content = listed.flatMap(([a, b]) => Array.from({ length: b - a + 1 }, (_, i) => a + i));
    t.same(
      content,
      [...slow].sort((a, b) => a - b),
    );
    t.ok(
      listed.every(([first], i) => i === 0 || first > listed[i - 1]![1] + 1),
      'apart',
    );
    for (let n = 0; n < 130; n++) if (ranges.has(n) !== slow.has(n)) t.fail(`has ${n}`);
  }
});
