import t from 'tap';
import { parseGoDuration } from '../../../src/engine/http/go-duration.js';
import { buildRequest } from '../../../src/engine/http/request.js';
import { MoonwireError } from '../../../src/errors.js';
import { textOrBytes } from '../../../src/script/convert.js';
import { random } from '../../support/random.js';

t.test('durations as Go writes them', async (t) => {
  const good: [string, number][] = [
    ['1h', 3600],
    ['1m30s', 90],
    ['1.5s', 1.5],
    ['.5s', 0.5],
    ['2.s', 2],
    ['500ms', 0.5],
    ['1h2m3s', 3723],
    ['100us', 1e-4],
    ['100µs', 1e-4],
    ['5ns', 5e-9],
  ];
  for (const [text, seconds] of good) {
    t.ok(Math.abs(parseGoDuration(text)! - seconds) < 1e-12, text);
  }
  for (const text of [
    '',
    '1',
    's',
    '-1s',
    '+1s',
    '1 s',
    '1d',
    '1s2',
    'x1s',
    '1.2.3s',
    '.s',
    `${'1'.repeat(70)}s`,
  ]) {
    t.equal(parseGoDuration(text), undefined, text);
  }
});

t.test('whatever a script gives, the request is sound or refused', async (t) => {
  const rng = random(t);
  const pieces = [
    'a',
    'X-A',
    'é',
    '\r\n',
    ': ',
    ';',
    '=',
    '\0',
    '\xff',
    ' ',
    '"',
    '%',
    '\\',
    'host',
    '?',
    '&',
    '#',
    '@',
    '/',
  ];
  const text = (): string | Uint8Array => {
    const joined = Array.from({ length: rng.below(5) }, () => rng.pick(pieces)).join('');
    return textOrBytes(Buffer.from(joined, 'latin1'));
  };
  const scalar = () => rng.pick([text(), text(), text(), rng.below(100), true, Number.NaN, undefined]);
  const table = (): unknown =>
    rng.below(10) === 0
      ? rng.pick([text(), 7, [], [text()], { a: {} }])
      : Object.fromEntries(Array.from({ length: rng.below(3) }, () => [String(text()), scalar()]));
  let sound = 0;
  let refused = 0;
  for (const until = Date.now() + 500; Date.now() < until; ) {
    const options = {
      ...(rng.below(2) && { headers: table() }),
      ...(rng.below(2) && { cookies: table() }),
      ...(rng.below(2) && { query: table() }),
      ...(rng.below(2) && { auth: { username: scalar(), password: scalar() } }),
      ...(rng.below(2) && { body: rng.pick([scalar(), table()]) }),
    };
    try {
      const url = `http://127.0.0.1/${rng.below(2) ? String(text()) : ''}`;
      const request = buildRequest(rng.pick(['GET', 'post', String(text())]), url, options);
      sound++;
      const lines = [...request.headers.values()].flat().join('') + request.method + request.url.href;
      if (/[\r\n\0]/.test(lines) || request.url.hostname !== '127.0.0.1') t.fail(JSON.stringify(options));
    } catch (error) {
      refused++;
      if (!(error instanceof MoonwireError)) t.fail(`${JSON.stringify(options)}: ${(error as Error).stack}`);
    }
  }
  t.ok(sound > 10 && refused > 10, `${sound} sound, ${refused} refused`);
});
