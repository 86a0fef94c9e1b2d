import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { moonwire, ROOT } from '../support/cli.js';

const GT06 = 'lua/protocols/gt06.lua';
const LOGIN = '78780d0103534190360660610003c3df0d0a';
const LOCATION = '787819100b031a0b1b31cc027ac7fd0c4657bf0115210001001cc6070d0a';

interface Line {
  messages: Record<string, unknown>[];
  discarded: number;
  error: string | null;
}

function linesOf(stdout: string): Line[] {
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line);
}

t.test('--hex gives one line of JSON', async (t) => {
  const { code, stdout, stderr } = await moonwire(['decode', GT06, '--hex', LOGIN]);
  t.equal(code, 0);
  t.equal(stderr, '');
  const [line, ...more] = linesOf(stdout);
  t.strictSame(more, []);
  t.strictSame(Object.keys(line!), ['messages', 'discarded', 'error']);
  t.match(line, { messages: [{ type: 'login', device_id: '353419036066061' }], discarded: 0, error: null });
});

t.test('--file and - read a line each, with comments, and tell bad lines', async (t) => {
  const text = `# captured\n${LOGIN} # a login\n\n7878zz\n00${LOCATION}\n${LOCATION.slice(0, -8)}\n`;
  const file = join(t.testdir({ 'a.hex': text }), 'a.hex');
  const [byFile, byInput] = await Promise.all([
    moonwire(['decode', GT06, '--file', file]),
    moonwire(['decode', GT06, '-'], { input: text }),
  ]);
  t.equal(byFile.code, 0);
  t.equal(byInput.stdout, byFile.stdout);
  const [login, bad, noisy, cut, ...more] = linesOf(byFile.stdout);
  t.strictSame(more, []);
  t.equal(login!.messages.length, 1);
  t.match(bad, { messages: [], discarded: 0, error: 'not a line of hexadecimal bytes' });
  t.match(noisy, { messages: [{ type: 'location' }], discarded: 1, error: null });
  t.match(cut, { messages: [], error: null });
  t.equal(cut!.discarded, LOCATION.length / 2 - 4);
});

t.test('a line is a device of its own, unless --session joins them', async (t) => {
  const half = LOCATION.length / 2;
  const input = `${LOGIN}\n${LOCATION.slice(0, half)}\n${LOCATION.slice(half)}\n`;
  const apart = linesOf((await moonwire(['decode', GT06, '-'], { input })).stdout);
  t.strictSame(
    apart.map(({ messages }) => messages.length),
    [1, 0, 0],
  );
  const joined = linesOf((await moonwire(['decode', GT06, '-', '--session'], { input })).stdout);
  t.match(joined[2], { messages: [{ type: 'location', device_id: '353419036066061' }], discarded: 0 });
});

t.test('agrees with the vectors', async (t) => {
  interface Case {
    name: string;
    hex?: string;
    checksum?: { ok: boolean };
    context?: object;
    expect?: {
      reference?: { ids?: string[]; decoded?: { latitude: number; longitude: number; valid: boolean } };
    };
  }
  const { cases } = JSON.parse(readFileSync(join(ROOT, 'test/vectors/gt06.json'), 'utf8')) as {
    cases: Case[];
  };
  const usable = cases.filter(({ hex, checksum, context }) => hex && checksum?.ok && !context);
  t.ok(usable.length > 30);
  const input = usable.map(({ hex }) => hex).join('\n');
  const results = linesOf((await moonwire(['decode', 'protocols.gt06', '-'], { input })).stdout);
  t.equal(results.length, usable.length);
  let positions = 0;
  for (const [i, { name, expect }] of usable.entries()) {
    const message = results[i]!.messages[0];
    const id = expect?.reference?.ids?.[0];
    if (id !== undefined) t.equal(message?.device_id, id, name);
    const decoded = expect?.reference?.decoded;
    if (!decoded?.valid || message?.latitude === undefined) continue;
    positions++;
    t.ok(Math.abs((message.latitude as number) - decoded.latitude) < 1e-6, name);
    t.ok(Math.abs((message.longitude as number) - decoded.longitude) < 1e-6, name);
  }
  t.ok(positions > 15);
});

t.test('a datagram is told from frames that happen to be inside it', async (t) => {
  // The example of the Teltonika wiki: its length and IMEI look like a login of the TCP form.
  const datagram =
    '003dcafe0105000f33353230393330383634303336353508010000016b4f815b30010000000000000000000000000000000103021503010101425dbc000001';
  const { code, stdout } = await moonwire(['decode', 'protocols.teltonika', '--hex', datagram]);
  t.equal(code, 0);
  t.match(JSON.parse(stdout), {
    discarded: 0,
    error: null,
    messages: [{ device_id: '352093086403655', time: 1_560_407_006 }],
  });
});

t.test('an entry script decodes by its own functions', async (t) => {
  const script = [
    'function protocol_input(buf) return buf:find(";") or 0 end',
    'function protocol_decode(frame) return { text = frame, raw = "\\xff\\x00" } end',
  ].join('\n');
  const file = join(t.testdir({ 'own.lua': script }), 'own.lua');
  const [line] = linesOf((await moonwire(['decode', file, '--hex', '61 3b 62 3b 63'])).stdout);
  t.strictSame(line, {
    messages: [
      { text: 'a;', raw: 'ff00' },
      { text: 'b;', raw: 'ff00' },
    ],
    discarded: 1,
    error: null,
  });
});

t.test('a script that raises is an error of its line only', async (t) => {
  const script = 'return { name = "x", decode = function(frame) return { n = #frame + nil } end }';
  const file = join(t.testdir({ 'raises.lua': script }), 'raises.lua');
  const { code, stdout } = await moonwire(['decode', file, '--hex', '00']);
  t.equal(code, 0);
  t.match(linesOf(stdout)[0]!.error, /raises\.lua:1: /);
});

t.test('what cannot be decoded with is one clear sentence', async (t) => {
  const folder = t.testdir({ 'broken.lua': 'return {\n  name =\n}', 'table.lua': 'return { answer = 42 }' });
  const cases = [
    ['protocols.nowhere', /module 'protocols\.nowhere' not found/],
    [join(folder, 'nowhere.lua'), /cannot find script .*nowhere\.lua/],
    [join(folder, 'broken.lua'), /broken\.lua:3: /],
    [join(folder, 'table.lua'), /table\.lua returns no protocol module and defines no protocol/],
  ] as const;
  const runs = cases.map(([module]) => moonwire(['decode', module, '--hex', '00']));
  for (const [i, { code, stdout, stderr }] of (await Promise.all(runs)).entries()) {
    t.equal(code, 1, cases[i]![0]);
    t.equal(stdout, '');
    t.match(stderr, cases[i]![1]);
    t.notMatch(stderr, /\n\s+at /, 'no stack');
  }
  const noFile = await moonwire(['decode', GT06, '--file', join(folder, 'nowhere.hex')]);
  t.equal(noFile.code, 1);
  t.match(noFile.stderr, /cannot read .*nowhere\.hex/);
});

t.test('bytes come from exactly one place', async (t) => {
  const wrong = [[], ['--hex', '00', '-'], ['--hex', '00', '--file', 'x']];
  const runs = wrong.map((args) => moonwire(['decode', GT06, ...args]));
  for (const { code, stderr } of await Promise.all(runs)) {
    t.equal(code, 2);
    t.match(stderr, /one of --hex, --file or -/);
  }
});
