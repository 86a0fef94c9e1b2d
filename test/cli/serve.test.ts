import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startMoonwire } from '../support/cli.js';
import { freePorts } from '../support/ports.js';

/** Asks until the answer is what is waited for; the test's time limit bounds it. */
async function until<T>(ask: () => Promise<T>, done: (answer: T) => boolean): Promise<T> {
  for (;;) {
    const answer = await ask().catch(() => undefined);
    if (answer !== undefined && done(answer)) return answer;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

t.test('single: its engine joins its centre, and access changes while it runs', async (t) => {
  const [registry, center, mesh, api] = (await freePorts(4)) as [number, number, number, number];
  const folder = t.testdir({ 'echo.lua': 'function on_message(m, conn) conn:send(m) end' });
  const file = join(folder, 'x.yaml');
  const yaml = (more: string): string => `
center: { registry: { port: ${registry} }, apiServer: { port: ${center} } }
engine:
  name: only
  meshPoint: { port: ${mesh} }
  apiServer: { port: ${api} }
  servers: [{ port: 0, bind: 127.0.0.1, entry: ${folder}/echo.lua }]
store: { path: ${folder}/data }
${more}`;
  writeFileSync(file, yaml(''));
  const cli = startMoonwire(t, ['single', '-f', file]);
  const get = (port: number, path: string, password?: string) =>
    fetch(`http://127.0.0.1:${port}${path}`, {
      headers: password === undefined ? {} : { authorization: `Basic ${btoa(`ann:${password}`)}` },
    });
  const engines = await until(
    async () => (await (await get(center, '/v1/engines')).json()) as { engines: { connected: boolean }[] },
    (body) => body.engines[0]?.connected === true,
  );
  t.match(engines, { engines: [{ name: 'only', node: 1, connected: true }] });
  t.equal((await get(api, '/v1/clients')).status, 200);

  writeFileSync(
    file,
    yaml('access: { users: [{ username: ann, password: first }] }\nlogging: { level: warn }\n'),
  );
  await until(
    async () => (await get(api, '/v1/clients')).status,
    (status) => status === 401,
  );
  t.equal((await get(api, '/v1/clients', 'first')).status, 200);
  t.equal((await get(center, '/v1/engines', 'first')).status, 200);

  writeFileSync(file, yaml('access: { users: [{ username: ann, password: second, roles: [nobody] }] }\n'));
  await cli.until(/access\.users\[0\]\.roles.*the changed configuration is not valid/);
  t.equal((await get(api, '/v1/clients', 'first')).status, 200, 'a mistake in the file changes nothing');

  writeFileSync(file, yaml('access: { users: [{ username: ann, password: second }] }\n'));
  // Asking until it is so would be guessing passwords.
  await cli.until(/the configuration was read again/);
  t.equal((await get(api, '/v1/clients', 'second')).status, 200);
  t.equal((await get(api, '/v1/clients', 'first')).status, 401);
  t.notMatch(cli.stderr, /second|first/, 'no password in the log');
  const { code } = await cli.stop('SIGTERM');
  t.equal(code, 0);
});

t.test('center: engines without a centre of their own are not needed to run one', async (t) => {
  const [registry, center] = (await freePorts(2)) as [number, number];
  const folder = t.testdir();
  const file = join(folder, 'x.yaml');
  writeFileSync(
    file,
    `center: { registry: { port: ${registry} }, apiServer: { port: ${center} } }\nstore: { path: ${folder}/data }\n`,
  );
  const cli = startMoonwire(t, ['center', '-f', file]);
  await cli.until(/the centre runs/);
  const version = await (await fetch(`http://127.0.0.1:${center}/version`)).json();
  t.match(version, { apis: ['v1'] });
  t.same(await (await fetch(`http://127.0.0.1:${center}/v1/nodes`)).json(), { nodes: [] });
  const second = startMoonwire(t, ['center', '-f', file]);
  const { code, stderr } = await second.ended;
  t.equal(code, 1);
  t.match(stderr, /in use|another process|uses/);
  t.equal((await cli.stop('SIGINT')).code, 0);
});
