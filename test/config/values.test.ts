import t from 'tap';
import { parseAddress, parseRegistryAddress } from '../../src/config/address.js';
import { formatDuration, formatSize, parseDuration, parseSize } from '../../src/config/measures.js';
import { suggest } from '../../src/config/problems.js';
import { ENTRY, load, problemsOf } from './support.js';

t.test('durations are seconds or carry a unit', async (t) => {
  for (const [written, seconds] of [
    [5, 5],
    [0.5, 0.5],
    ['5s', 5],
    ['10m', 600],
    ['7d', 604_800],
    ['1h30m', 5400],
    ['250ms', 0.25],
    ['90', 90],
    [' 5s ', 5],
  ] as const) {
    t.equal(parseDuration(written), seconds, String(written));
  }
  for (const bad of [
    '',
    '5 s',
    '5x',
    's',
    '-5s',
    '1e3',
    -1,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    true,
    [],
    '9'.repeat(100),
  ]) {
    t.equal(parseDuration(bad), undefined, String(bad));
  }
  for (const seconds of [0, 0.25, 1, 60, 5400, 86_400, 604_800]) {
    t.equal(parseDuration(formatDuration(seconds)), seconds, 'survives being written');
  }
});

t.test('sizes are bytes or carry a binary unit', async (t) => {
  for (const [written, bytes] of [
    [512, 512],
    ['512', 512],
    ['64KiB', 65_536],
    ['8MiB', 8_388_608],
    ['1.5KiB', 1536],
    ['2GiB', 2 ** 31],
    ['7B', 7],
  ] as const) {
    t.equal(parseSize(written), bytes, String(written));
  }
  for (const bad of ['', '64KB', '64kb', '64 K', '-1', -1, 1.5, '0.3KiB', '9999999999TiB', null]) {
    t.equal(parseSize(bad), undefined, String(bad));
  }
  for (const bytes of [0, 1, 1023, 65_536, 2 ** 40]) t.equal(parseSize(formatSize(bytes)), bytes);
});

t.test('addresses', async (t) => {
  t.same(parseAddress('localhost', 6379), { host: 'localhost', port: 6379 });
  t.same(parseAddress('[::1]:80', 1), { host: '::1', port: 80 });
  t.same(parseRegistryAddress('center.example', 6786), {
    scheme: 'tcp',
    host: 'center.example',
    port: 6786,
    path: '/',
  });
  t.same(parseRegistryAddress('wss://c.example:443/up', 6786), {
    scheme: 'wss',
    host: 'c.example',
    port: 443,
    path: '/up',
  });
  for (const bad of [
    '',
    ':80',
    'a b',
    'http://x',
    'x:0',
    'x:65536',
    'x:y',
    'tcp://x/path',
    'tcp://user@x',
    '-x',
    '::1',
  ]) {
    t.equal(parseRegistryAddress(bad, 1), undefined, bad);
  }
});

t.test('a misspelt word finds the one that was meant, a strange one finds none', async (t) => {
  const known = ['port', 'protocol', 'entry', 'bind'];
  t.equal(suggest('prot', known), 'port');
  t.equal(suggest('protcol', known), 'protocol');
  t.equal(suggest('ENTRY', known), 'entry');
  t.equal(suggest('certificate', known), undefined);
  t.equal(suggest('x'.repeat(1e6), known), undefined);
});

t.test('every default is itself within the range of its setting', async (t) => {
  const { config } = load(`
engine:
  servers: [{ port: 6790, ${ENTRY} }]
  links: [{ udp: { host: h, port: 1 }, ${ENTRY} }]
  luavm: { redis: [{}] }
access: { users: [{ username: u, password: p }] }
`);
  t.match(config.engine.servers[0], {
    name: 'tcp-6790',
    transport: 'tcp',
    protocol: 'socket',
    bind: '0.0.0.0',
    byteCodeExpires: 10,
    limits: {
      connections: 10_000,
      frameBytes: 65_536,
      sendBufferBytes: 49_152,
      idleSeconds: 60,
      handshakeSeconds: 10,
      acceptsPerSecond: 1000,
      sendStallSeconds: 10,
    },
  });
  t.match(config.engine.links[0], { name: 'udp-h-1', kind: 'udp', limits: { idleSeconds: 0 } });
  t.match(config.engine.luavm, { queue: { topicSize: 2000, maxTopics: 100 }, redis: [{ name: 'default' }] });
  t.match(config.access.users[0], { roles: ['read'], host: '*' });
  t.match(config.store, { path: './data', maxBytes: 2 ** 26, maxAge: 604_800 });
  t.match(config.engine.heartbeat, { interval: 10, tolerance: 15 });
});

t.test('wrong types and ranges name what is allowed', async (t) => {
  const cases: [string, string][] = [
    ['port: "x"', 'port: must be a whole number from 0 to 65535, got "x"'],
    ['port: 70000', 'port: must be a whole number from 0 to 65535, got 70000'],
    ['port: 1.5', 'port: must be a whole number from 0 to 65535, got 1.5'],
    ['port: [1]', 'port: must be a whole number from 0 to 65535, got a list'],
    ['port:', 'port: must be a whole number from 0 to 65535, got nothing'],
    ['{ port: 1, bind: example.com }', 'bind: must be an IP address of this machine or localhost'],
    [
      '{ port: 1, protocol: ftp }',
      'protocol: must be one of socket, websocket, mqtt, coap, http, auto, got "ftp"',
    ],
    ['{ port: 1, limits: 5 }', 'limits: must be a map of settings, got 5'],
    ['{ port: 1, limits: { frameBytes: 1 } }', 'limits.frameBytes: must be a size from 16B to 64MiB'],
    ['{ port: 1, limits: { idleSeconds: -1 } }', 'limits.idleSeconds: must be a duration from 0s to 30d'],
    ['{ port: 1, name: "a b" }', 'name: must be a name of 1 to 63 letters'],
    ['{ port: 1, options: [{ name: a }] }', 'options: must be a map of names'],
    [
      '{ port: 1, options: [{ name: a, value: 1 }, { name: a, value: 2 }] }',
      'options: must be a map of names',
    ],
    ['{ port: 1, options: { a: [] } }', 'options: must be a map of names'],
  ];
  for (const [server, expected] of cases) {
    const block = server.startsWith('{') ? server.replace('{', `{ ${ENTRY},`) : `{ ${ENTRY}, ${server} }`;
    const problems = problemsOf(`engine:\n  servers:\n    - ${block}\n`);
    t.equal(problems.length, 1, `${server}: ${problems}`);
    t.match(problems[0], expected);
    t.match(problems[0], /^3:/);
  }
  t.match(problemsOf('[]'), ['must be a map of settings, got a list']);
  t.match(problemsOf('engine: []'), ['must be a map of settings, got a list']);
  t.match(problemsOf('engine: { servers: {} }'), ['must be a list of at most 256 items, got a map']);
});

t.test('a secret is never repeated in a problem', async (t) => {
  const problems = problemsOf(
    'access: { users: [{ username: u, password: 12345 }] }\nengine: { joinToken: 777 }\n',
  );
  t.equal(problems.length, 2);
  t.notMatch(problems.join(), /12345|777/);
  t.match(problems[0], /put it in quotes/);
});

t.test('options: the list of CONNMIX and a map are the same', async (t) => {
  const list = load(
    `engine: { servers: [{ port: 1, ${ENTRY}, options: [{ name: path, value: /chat }, { name: n, value: 5 }] }] }`,
  );
  const map = load(`engine: { servers: [{ port: 1, ${ENTRY}, options: { path: /chat, n: 5 } }] }`);
  t.same(list.config.engine.servers[0]?.options, { path: '/chat', n: 5 });
  t.same(map.config.engine.servers[0]?.options, list.config.engine.servers[0]?.options);
});
