import { once } from 'node:events';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { moonwire, startMoonwire } from '../support/cli.js';
import { Device, until } from '../support/engine.js';
import { freePorts } from '../support/ports.js';

const ECHO = 'function protocol_input(b) return b:length() end function on_message(m, conn) conn:send(m) end';

/** Files of an engine, and how to ask it. */
async function prepare(t: { testdir(files: Record<string, string>): string }) {
  const [api, a, b] = (await freePorts(3)) as [number, number, number];
  const folder = t.testdir({ 'echo.lua': ECHO });
  const file = join(folder, 'x.yaml');
  const write = (...servers: string[]): void =>
    writeFileSync(
      file,
      `engine: { apiServer: { port: ${api} }, servers: [${servers.join(', ')}] }\nstore: { path: ${folder}/data }\n`,
    );
  const server = (name: string, port: number) =>
    `{ name: ${name}, port: ${port}, bind: 127.0.0.1, entry: ${folder}/echo.lua }`;
  const get = async (path: string) => (await fetch(`http://127.0.0.1:${api}${path}`)).json();
  const post = async (path: string, body: object) => {
    const answer = await fetch(`http://127.0.0.1:${api}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
  };
  return { folder, file, api, a, b, write, server, get, post };
}

t.test('SIGHUP and the API read the file again', async (t) => {
  const { file, api, a, b, write, server, get, post, folder } = await prepare(t);
  write(server('a', a));
  const cli = startMoonwire(t, ['engine', '-f', file]);
  await cli.until(/engine .* runs/);
  const device = await Device.connect(a);
  t.match(await get('/v1/config'), { file, source: 'file', changes: [] });
  t.equal(statSync(join(folder, 'data/last-good.json')).mode & 0o777, 0o600);

  write(server('a', a), server('b', b));
  const added = [{ path: 'engine.servers.b', effect: 'add' }];
  t.match(await get('/v1/config'), { changes: added });
  t.match(await post('/v1/config/reload', { dry_run: true }), { status: 200, body: { changes: added } });
  t.match(await get('/v1/config'), { changes: added }, 'it was only told');
  const at = ['--api', `127.0.0.1:${api}`];
  const plan = await moonwire(['reload', '--dry-run', ...at]);
  t.match(plan, { code: 0, stdout: 'engine.servers.b is added\n' }, plan.stderr);
  cli.signal('SIGHUP');
  await cli.until(/engine\.servers\.b: added/);
  await Device.connect(b);
  const again = await moonwire(['reload', ...at]);
  t.match(
    again,
    { code: 0, stdout: /^configuration: nothing changed\na: nothing was saved\n/ },
    again.stderr,
  );
  t.match(await get('/v1/config'), { changes: [] });

  write('{ port: 99999 }');
  t.match(await get('/v1/config'), { problem: /engine\.servers\[0\]\.port/, changes: [] });
  t.match(await post('/v1/config/reload', {}), {
    status: 400,
    body: { code: 'invalid_argument', detail: /x\.yaml:1/ },
  });
  const refused = await moonwire(['reload', ...at]);
  t.match(refused, { code: 1, stderr: /x\.yaml:1.*engine\.servers\[0\]\.port/ });
  cli.signal('SIGHUP');
  await cli.until(/not reloaded/);
  device.send('still here');
  await device.until((text) => text === 'still here');
  device.socket.destroy();
});

t.test('what ran last is started in place of a file that cannot be used', async (t) => {
  const { folder, file, a, b, write, server, get } = await prepare(t);
  write(server('a', a));
  const first = startMoonwire(t, ['engine', '-f', file]);
  await first.until(/engine .* runs/);
  first.signal('SIGTERM');
  await first.ended;
  const good = readFileSync(join(folder, 'data/last-good.json'), 'utf8');

  writeFileSync(file, `engine: { servers: 7 }\nstore: { path: ${folder}/data }\n`);
  const second = startMoonwire(t, ['engine', '-f', file]);
  await second.until(/the configuration cannot be used; the one that ran last is.*/);
  await second.until(/engine .* runs/);
  (await Device.connect(a)).socket.destroy();
  t.match(await get('/v1/config'), { source: 'last_good', problem: /engine\.servers/ });
  t.match(await get('/v1/health'), { status: 'degraded', reasons: [{ code: 'config_fallback' }] });
  second.signal('SIGTERM');
  await second.ended;

  const taken = createServer().listen(b, '127.0.0.1');
  await once(taken, 'listening');
  t.teardown(() => taken.close());
  write(server('a', a), server('b', b));
  const third = startMoonwire(t, ['engine', '-f', file]);
  await third.until(/is in use|taken|EADDRINUSE/i);
  await third.until(/engine .* runs/);
  (await Device.connect(a)).socket.destroy();
  t.equal(readFileSync(join(folder, 'data/last-good.json'), 'utf8'), good, 'what never ran is not kept');
  taken.close();
  third.signal('SIGHUP');
  await third.until(/engine\.servers\.b: added/);
  t.match(await get('/v1/config'), { source: 'file' });
  await until(() => readFileSync(join(folder, 'data/last-good.json'), 'utf8') !== good);
});

t.test('without anything that ran, a mistake ends it', async (t) => {
  const { folder, file } = await prepare(t);
  writeFileSync(file, `engine: { servers: 7 }\nstore: { path: ${folder}/data }\n`);
  const cli = startMoonwire(t, ['engine', '-f', file]);
  t.equal((await cli.ended).code, 1);
  t.notOk(existsSync(join(folder, 'data/last-good.json')));
});
