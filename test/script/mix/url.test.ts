import { execFileSync } from 'node:child_process';
import t from 'tap';
import { parseQuery, type QueryTable } from '../../../src/script/mix/query.js';
import { splitUrl } from '../../../src/script/mix/url-parts.js';
import { lua } from '../../support/mix.js';
import { missing } from '../../support/need.js';
import { random } from '../../support/random.js';

t.test('parse_url gives the parts that CONNMIX names', async (t) => {
  const script = `
    local t = assert(mix.parse_url("/chat?foo=bar"))
    return t.scheme, t.opaque, t.user, t.host, t.path, t.raw_path, t.force_query, t.raw_query, t.fragment,
      t.raw_fragment, t.query.foo`;
  t.strictSame(lua(script), ['', '', '', '', '/chat', '', false, 'foo=bar', '', '', 'bar']);
});

t.test('URLs are split as Go splits them', async (t) => {
  const empty = {
    scheme: '',
    opaque: '',
    user: '',
    host: '',
    path: '',
    raw_path: '',
    force_query: false,
    raw_query: '',
    fragment: '',
    raw_fragment: '',
  };
  const cases: [url: string, parts: Partial<typeof empty>][] = [
    ['', {}],
    [
      'http://foo:bar@example.com:8080/a/b?c=1#e',
      {
        scheme: 'http',
        user: 'foo:bar',
        host: 'example.com:8080',
        path: '/a/b',
        raw_query: 'c=1',
        fragment: 'e',
      },
    ],
    ['HTTP://EXAMPLE.com', { scheme: 'http', host: 'EXAMPLE.com' }],
    ['http://[fe80::1]:80/', { scheme: 'http', host: '[fe80::1]:80', path: '/' }],
    ['mailto:joe@example.com', { scheme: 'mailto', opaque: 'joe@example.com' }],
    ['/a%20b', { path: '/a b' }],
    ['/a%2Fb', { path: '/a/b', raw_path: '/a%2Fb' }],
    ['/a b', { path: '/a b', raw_path: '/a b' }],
    ['/x?', { path: '/x', force_query: true }],
    ['/x?a?', { path: '/x', raw_query: 'a?' }],
    ['//host/path', { host: 'host', path: '/path' }],
    ['///path', { path: '///path' }],
    ['file:///etc', { scheme: 'file', path: '/etc' }],
    ['a/b:c', { path: 'a/b:c' }],
    ['#x%20y', { fragment: 'x y' }],
    ['#a%21', { fragment: 'a!', raw_fragment: 'a%21' }],
    ['1http://x', {}],
  ];
  for (const [url, parts] of cases.slice(0, -1)) t.strictSame(splitUrl(url), { ...empty, ...parts }, url);
});

t.test('what is no URL is refused as a value', async (t) => {
  for (const bad of [
    '1http://x',
    ':x',
    '/%zz',
    '/%4',
    'http://x:y/',
    'http://[::1/',
    'http://a b@x/',
    '/a\\nb',
  ]) {
    const [parts, error] = lua(`return mix.parse_url("${bad}")`);
    t.equal(parts, undefined, bad);
    t.match(error, /^invalid_argument: /);
  }
});

t.test('parse_str in Lua: lists from 1, nested tables, bytes', async (t) => {
  t.strictSame(
    lua(
      'local t = mix.parse_str("a=1&b[]=2&b[]=3&c[x][y]=4&d=%ff%00+x") return t.a, #t.b, t.b[2], t.c.x.y, t.d',
    ),
    ['1', 2, '3', '4', '\xff\0 x'],
  );
  t.strictSame(lua('return next(mix.parse_str(""))'), [undefined]);
  t.strictSame(lua('return mix.parse_str(("a&"):rep(1001))'), [
    undefined,
    'too_large: more than 1000 variables',
  ]);
  t.match(lua('return mix.parse_str("a" .. ("[x]"):rep(65))')[1], /^too_large: names nest deeper than 64/);
  t.strictSame(lua('return mix.parse_str("__proto__[a]=1").__proto__.a'), ['1']);
});

/** As PHP's json_encode would show it: lists of ours count from 1, PHP's from 0. */
function plain(table: QueryTable): unknown {
  const object: Record<string, unknown> = {};
  for (const [key, value] of table) {
    object[typeof key === 'number' ? key - 1 : key] =
      value instanceof Map ? plain(value) : Buffer.from(value).toString('hex');
  }
  return object;
}

t.test('names are taken apart as PHP does', { skip: missing('php', 'php-cli') }, async (t) => {
  const r = random(t);
  const pieces = [
    'a',
    'b',
    '.',
    '+',
    '[',
    ']',
    '[]',
    '[x]',
    '=',
    '=1',
    '&',
    '%5B',
    '%20',
    '%00',
    '%zz',
    '[ ]',
  ];
  const queries = Array.from({ length: 1500 }, () =>
    Array.from({ length: 1 + r.below(9) }, () => r.pick(pieces)).join(''),
  );
  const script = `foreach (json_decode(stream_get_contents(STDIN)) as $q) {
    parse_str($q, $r);
    array_walk_recursive($r, function (&$v) { $v = bin2hex($v); });
    echo json_encode($r, JSON_FORCE_OBJECT), "\\n";
  }`;
  const output = execFileSync('php', ['-r', script], { input: JSON.stringify(queries), encoding: 'utf8' });
  const theirs = output
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
  t.equal(theirs.length, queries.length);
  queries.forEach((query, i) => {
    if (JSON.stringify(plain(parseQuery(query))) !== JSON.stringify(theirs[i])) {
      t.strictSame(plain(parseQuery(query)), theirs[i], query);
    }
  });
});
