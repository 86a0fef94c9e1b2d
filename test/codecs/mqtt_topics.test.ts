import t from 'tap';
import {
  FilterTree,
  filterProblem,
  hasWildcard,
  matches,
  topicProblem,
} from '../../src/codecs/mqtt_topics.js';
import { random } from '../support/random.js';

t.test('filters mean names as section 4.7 of the standard says', (t) => {
  const cases: [filter: string, name: string, means: boolean][] = [
    ['sport/tennis/player1/#', 'sport/tennis/player1', true],
    ['sport/tennis/player1/#', 'sport/tennis/player1/ranking', true],
    ['sport/tennis/player1/#', 'sport/tennis/player1/score/wimbledon', true],
    ['sport/#', 'sport', true],
    ['#', 'sport', true],
    ['sport/tennis/+', 'sport/tennis/player1', true],
    ['sport/tennis/+', 'sport/tennis/player1/ranking', false],
    ['sport/+', 'sport', false],
    ['sport/+', 'sport/', true],
    ['+/+', '/finance', true],
    ['/+', '/finance', true],
    ['+', '/finance', false],
    ['#', '$SYS/monitor', false],
    ['+/monitor/Clients', '$SYS/monitor/Clients', false],
    ['$SYS/#', '$SYS/', true],
    ['$SYS/monitor/+', '$SYS/monitor/Clients', true],
    ['a/b', 'a/b', true],
    ['a/b', 'A/b', false],
    ['a', 'a/', false],
    ['a/#/b', 'a/x/b', false],
  ];
  for (const [filter, name, means] of cases) {
    t.equal(matches(filter, name), means, `${filter} ${name}`);
    const tree = new FilterTree<number>();
    tree.add(filter, 1);
    t.equal(tree.has(name), means, `tree: ${filter} ${name}`);
  }
  t.end();
});

t.test('what is no topic and no filter', (t) => {
  for (const name of ['', 'a\0', 'a/+', '#', 'a+b']) t.ok(topicProblem(name), JSON.stringify(name));
  for (const name of ['a', '/', '$x', 'a b/ü']) t.notOk(topicProblem(name), name);
  for (const filter of [
    '',
    'a\0',
    'sport/tennis#',
    'sport/tennis/#/ranking',
    'sport+',
    'a/b+/c',
    'a/'.repeat(200),
  ])
    t.ok(filterProblem(filter), JSON.stringify(filter));
  for (const filter of ['#', '+', '+/tennis/#', 'sport/+/player1', '/+', 'a'])
    t.notOk(filterProblem(filter), filter);
  t.ok(hasWildcard('a/+'));
  t.notOk(hasWildcard('a+b/c#'), 'inside a level it is a character');
  t.end();
});

t.test('a tree finds what the filters mean, whatever is added and taken back', (t) => {
  const { pick, below: int } = random(t);
  const level = () => pick(['a', 'b', '', '$c']);
  const some = (make: () => string) => Array.from({ length: 1 + int(4) }, make).join('/');
  const tree = new FilterTree<string>();
  const kept = new Set<string>();
  for (let round = 0; round < 3000; round++) {
    const filter =
      int(10) === 0 ? '#' : some(() => (int(3) === 0 ? '+' : level())) + (int(4) === 0 ? '/#' : '');
    if (int(2) === 0) {
      tree.add(filter, filter);
      kept.add(filter);
    } else {
      tree.delete(filter, filter);
      kept.delete(filter);
    }
    const name = some(level);
    const expected = [...kept].filter((each) => matches(each, name)).sort();
    const found = [...tree.match(name)].sort();
    if (JSON.stringify(found) !== JSON.stringify(expected)) t.same(found, expected, name);
  }
  t.equal(tree.size, kept.size);
  for (const filter of kept) tree.delete(filter, filter);
  t.equal(tree.size, 0);
  t.same([...tree.match('a')], []);
  t.end();
});
