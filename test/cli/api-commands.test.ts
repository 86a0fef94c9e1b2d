import t from 'tap';
import { moonwire } from '../support/cli.js';
import { jsonLines, startOperated } from '../support/operated.js';

t.test('ps and clients', async (t) => {
  const { at, connect } = await startOperated(t);
  const { device, client } = await connect('dev-1');
  await connect('bad\x1b[2Jname');
  const list = await moonwire(['ps', ...at]);
  t.equal(list.code, 0, list.stderr);
  const [heading, row] = list.stdout.split('\n');
  t.match(heading, /^NAME +NODE +VERSION +UPLINK/);
  t.match(row, /^test +0 +1\.2\.3 +down .* 2 .* s:\d+/);
  t.match(jsonLines((await moonwire(['ps', ...at, '--json'])).stdout), [{ name: 'test', clients: 2 }]);

  const clients = await moonwire(['clients', ...at]);
  t.equal(clients.code, 0, clients.stderr);
  t.match(
    clients.stdout,
    new RegExp(`\\n +${client} +test +s +tcp +127\\.0\\.0\\.1:${device.socket.localPort} `),
  );
  t.match(clients.stdout, 'dev-1');
  t.match(clients.stdout, 'bad\\u001b[2Jname', 'nothing a device says reaches the terminal as it is');
  t.notMatch(clients.stdout, '\x1b');

  const first = await moonwire(['clients', ...at, '--json', '--limit', '1']);
  t.match(jsonLines(first.stdout), [{ id: client, devices: ['dev-1'], server: 's' }]);
  t.match(first.stderr, new RegExp(`there are more: --after ${client}, or --all`));
  const second = await moonwire(['clients', ...at, '--json', '--after', client]);
  t.strictSame(
    jsonLines(second.stdout).map(({ devices }) => devices),
    [['bad\x1b[2Jname']],
  );
  t.equal(jsonLines((await moonwire(['clients', ...at, '--json', '--all'])).stdout).length, 2);
  const one = await moonwire(['clients', ...at, '--json', '--device', 'dev-1', '--server', 's']);
  t.equal(jsonLines(one.stdout).length, 1);
  t.strictSame(jsonLines((await moonwire(['clients', ...at, '--json', '--server', 'x'])).stdout), []);
});

t.test('send and publish', async (t) => {
  const { at, connect } = await startOperated(t);
  const { device, client } = await connect('a');
  const { device: other } = await connect('b');
  for (const [args, received] of [
    [['text'], 'text'],
    [['--binary', '00 ff 0a'], '\x00\xff\n'],
    [['--value', '{"type":"reboot"}'], 'T:reboot\n'],
    [['--type', 'binary', 'x\u00e9'], 'x\u00c3\u00a9'],
  ] as const) {
    device.received = Buffer.alloc(0);
    const { code, stdout, stderr } = await moonwire(['send', ...at, client, ...args]);
    t.equal(code, 0, stderr);
    t.equal(stdout, `sent to client ${client}\n`);
    await device.until((text) => text === received);
  }
  other.received = Buffer.alloc(0);
  const published = await moonwire(['publish', ...at, '--json', 'news', 'hello']);
  t.equal(published.code, 0, published.stderr);
  t.strictSame(jsonLines(published.stdout), [{ channel: 'news', success: 2, fail: 0 }]);
  await other.until((text) => text === 'hello');
  t.match(
    (await moonwire(['publish', ...at, 'nobody', 'x'])).stdout,
    '0 subscribers of nobody have it, 0 do not',
  );
  const gone = await moonwire(['send', ...at, '99999', 'x']);
  t.equal(gone.code, 1);
  t.match(gone.stderr, /^moonwire: .*client 99999 is not connected\n$/);
});

t.test('users', async (t) => {
  const { at } = await startOperated(
    t,
    '{ users: [{ username: ann, password: "se:cret" }, { username: bob, password: tok, roles: [read, write] }] }',
  );
  const run = (args: string[], env: Record<string, string> = {}) => moonwire([...args, ...at], { env });
  const anonymous = await run(['ps']);
  t.equal(anonymous.code, 1);
  t.match(anonymous.stderr, /^moonwire: needs a user name/);
  t.equal((await run(['ps', '--user', 'ann'], { MOONWIRE_API_PASSWORD: 'se:cret' })).code, 0);
  t.equal((await run(['ps'], { MOONWIRE_API_TOKEN: 'tok' })).code, 0);
  const wrong = await run(['ps', '--user', 'ann'], { MOONWIRE_API_PASSWORD: 'wrong' });
  t.equal(wrong.code, 1);
  t.notMatch(wrong.stderr, 'wrong ?$');
  const forbidden = await run(['publish', 'a', 'b', '--user', 'ann'], { MOONWIRE_API_PASSWORD: 'se:cret' });
  t.equal(forbidden.code, 1);
  t.match(forbidden.stderr, /lacks the role write/);
});
