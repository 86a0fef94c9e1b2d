import t from 'tap';
import { MeshPath } from '../../src/uplink/mesh-path.js';
import type { Done, Route } from '../../src/uplink/routes.js';

/** A route that keeps what is asked until the test answers. */
class FakeRoute {
  open = true;
  readonly asked: { name: string; done: Done }[] = [];

  answer(): void {
    this.asked.shift()!.done(1, 0);
  }

  /** As a real one: what is under way fails before anybody is told. */
  end(): void {
    this.open = false;
    for (const { done } of this.asked.splice(0)) done(0, 1, 'not_connected: ended');
  }

  get names(): string[] {
    return this.asked.map(({ name }) => name);
  }
}

function setUp() {
  const path = new MeshPath();
  const direct = new FakeRoute();
  const relay = new FakeRoute();
  const results: string[] = [];
  const request = (name: string, directOnly = false) =>
    path.request({
      attempt: (route, done) => void (route as unknown as FakeRoute).asked.push({ name, done }),
      done: (success, _fail, error) => results.push(`${name} ${success ? 'done' : error?.split(':')[0]}`),
      data: name,
      directOnly,
    });
  const as = (route: FakeRoute | undefined) => route as unknown as Route | undefined;
  return { path, direct, relay, results, request, as };
}

t.test('without a way everything fails at once', async (t) => {
  const { path, results, request } = setUp();
  request('a');
  t.same(results, ['a not_connected']);
  t.equal(path.name, 'none');
});

t.test('a better path waits until the old one is done', async (t) => {
  const { path, direct, relay, results, request, as } = setUp();
  path.relay = as(relay);
  request('a');
  request('b');
  path.direct = as(direct);
  t.equal(path.name, 'direct');
  request('c');
  request('d');
  t.same([relay.names, direct.names], [['a', 'b'], []]);
  t.equal(path.outstanding, 4);
  relay.answer();
  t.same(direct.names, []);
  relay.answer();
  t.same(direct.names, ['c', 'd']);
  request('e');
  t.same(direct.names, ['c', 'd', 'e']);
  t.equal(path.changes, 1);
  t.same(results, ['a done', 'b done']);
});

t.test('a path that dies fails what is on it, and what waits goes on at once', async (t) => {
  const { path, direct, relay, results, request, as } = setUp();
  path.relay = as(relay);
  request('a');
  path.direct = as(direct);
  request('b');
  relay.end();
  path.relay = undefined;
  t.same(results, ['a not_connected']);
  t.same(direct.names, ['b']);

  const again = new FakeRoute();
  path.relay = as(again);
  direct.end();
  path.direct = undefined;
  request('c');
  t.same(results, ['a not_connected', 'b not_connected']);
  t.same(again.names, ['c']);
});

t.test('the better path goes away while requests wait for it', async (t) => {
  const { path, direct, relay, results, request, as } = setUp();
  path.relay = as(relay);
  request('a');
  path.direct = as(direct);
  request('b');
  request('published', true);
  request('c');
  direct.end();
  path.direct = undefined;
  t.same(relay.names, ['a', 'b', 'c'], 'in order on the path that is left');
  t.same(results, ['published not_connected'], 'the relay would send it to others too');
  t.equal(path.changes, 0);
});

t.test('requests made while others fail keep their order', async (t) => {
  const { path, direct, relay, request, as } = setUp();
  const seen: string[] = [];
  path.relay = as(relay);
  path.direct = as(direct);
  for (const name of ['a', 'b']) {
    path.request({
      attempt: (route, done) => void (route as unknown as FakeRoute).asked.push({ name, done }),
      done: () => {
        seen.push(name);
        request(`after ${name}`);
      },
      data: name,
    });
  }
  direct.end();
  path.direct = undefined;
  t.same(seen, ['a', 'b']);
  t.same(relay.names, ['after a', 'after b']);
  t.equal(path.outstanding, 2, 'the failures of the old path do not count on the new one');
  relay.answer();
  relay.answer();
  t.equal(path.outstanding, 0);
});

t.test('what the relay sends to several engines holds up a change, too', async (t) => {
  const { path, direct, relay, request, as } = setUp();
  path.relay = as(relay);
  const end = path.relayed();
  path.direct = as(direct);
  request('a');
  t.same(direct.names, []);
  end();
  t.same(direct.names, ['a']);
});

t.test('what waits is bounded by count and by bytes', async (t) => {
  const { path, direct, relay, results, request, as } = setUp();
  path.relay = as(relay);
  request('a');
  path.direct = as(direct);
  for (let i = 0; i < 10_001; i++) request('b');
  t.same(results, ['b queue_full']);
  relay.answer();
  t.equal(direct.asked.length, 10_000);

  const bytes = setUp();
  bytes.path.relay = as(bytes.relay);
  bytes.request('a');
  bytes.path.direct = as(bytes.direct);
  const big = () =>
    bytes.path.request({
      attempt: () => {},
      done: (_success, _fail, error) => bytes.results.push(String(error)),
      data: { list: [new Uint8Array(1_500_000)] },
    });
  big();
  big();
  t.same(bytes.results, []);
  big();
  t.match(bytes.results, [/^queue_full: /]);
});
