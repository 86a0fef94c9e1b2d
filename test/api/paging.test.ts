import t from 'tap';
import { describedPage } from '../../src/api/paging.js';
import { random } from '../support/random.js';

t.test('pages of any list together are the sorted list', async (t) => {
  const { below } = random(t);
  for (let round = 0; round < 200; round++) {
    const keys = new Set(Array.from({ length: below(60) }, () => below(1000)));
    const sorted = [...keys].sort((a, b) => a - b);
    const limit = 1 + below(20);
    const seen: number[] = [];
    let after: number | undefined;
    for (;;) {
      const { items, next } = describedPage(keys, { limit, after }, (key) => key);
      t.ok(items.length <= limit);
      seen.push(...items);
      if (next === undefined) break;
      t.equal(items.length, limit, 'only the last page is short');
      after = Number(next);
    }
    t.same(seen, sorted);
  }
});

t.test('names are in the order of their code units', async (t) => {
  const names = ['b', 'a', 'ä', 'B', '10', '9'];
  t.same(
    describedPage(names, { limit: 3 }, (name) => name),
    { items: ['10', '9', 'B'], next: 'B' },
  );
  t.same(
    describedPage(names, { limit: 3, after: 'B' }, (name) => name),
    { items: ['a', 'b', 'ä'] },
  );
  t.same(
    describedPage([], { limit: 3 }, (name) => name),
    { items: [] },
  );
});
