/** What goes on with a client beside its bytes, and what is changed before and after a restart. */

import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { Device } from '../support/engine.js';
import { freePorts } from '../support/ports.js';
import { Restarting } from '../support/restarting.js';
import { eventually } from '../support/workers.js';

const SCRIPT = `
protocol = {
  frame = mix.frame.delimiter{ ends = "\\n" },
  decode = function(frame) return frame end,
  encode = function(data) return "< " .. tostring(data) .. "\\n" end,
}
function on_message(line, conn)
  if line == "join" then
    conn:subscribe("news")
    conn:attach("device-1")
    conn:send("joined\\n")
  elseif line == "slow" then
    mix.sleep(4)
    conn:send("slow is over\\n")
  else
    conn:send("VERSION " .. line .. "\\n")
  end
end
function on_command(cmd, conn) return cmd.name end
`;
const LINK = 'function on_message(text, conn) conn:send(text) end';

t.test('subscriptions, devices, added links and reloads', async (t) => {
  const [tcp, more, api, registry, center] = (await freePorts(5)) as [number, number, number, number, number];
  const folder = t.testdir({ 'm.lua': SCRIPT.replace('VERSION', 'one'), 'l.lua': LINK });
  const file = join(folder, 'x.yaml');
  const server = (name: string, port: number): string =>
    `{ name: ${name}, port: ${port}, bind: 127.0.0.1, entry: ${folder}/m.lua }`;
  const written = `
engine:
  name: kept
  apiServer: { port: ${api} }
  meshPoint: { port: 0 }
  addedLinks: { max: 10 }
  servers: [${server('lines', tcp)}]
center: { registry: { port: ${registry} }, apiServer: { port: ${center} } }
script: { roots: [${folder}] }
store: { path: ${folder}/data }
`;
  writeFileSync(file, written);
  const ask = async (method: string, path: string, body?: unknown, port = api) => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      headers: { 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    return (await answer.json()) as Record<string, unknown>;
  };
  const gateway = await Restarting.start(t, file, {}, 'single');

  // The device of a link that is added while it runs.
  const far = createServer().listen(0, '127.0.0.1');
  await once(far, 'listening');
  t.teardown(() => far.close());
  const connected = once(far, 'connection') as Promise<[Socket]>;
  const target = { host: '127.0.0.1', port: (far.address() as AddressInfo).port };
  t.match(await ask('POST', '/v1/links', { name: 'later', tcp: target, entry: join(folder, 'l.lua') }), {
    added: true,
  });
  const [line] = await connected;
  t.teardown(() => line.destroy());
  const echoed = async (text: string): Promise<string> => {
    line.write(text);
    return String((await once(line, 'data'))[0]);
  };
  t.equal(await echoed('a'), 'a');

  const device = await Device.connect(tcp);
  t.teardown(() => device.socket.destroy());
  const slow = await Device.connect(tcp);
  t.teardown(() => slow.socket.destroy());
  device.send('join\n');
  await device.until((text) => text.endsWith('joined\n'));

  // Reloaded before the restart: a server beside, and another script.
  writeFileSync(file, written.replace('servers: [', `servers: [${server('more', more)}, `));
  await ask('POST', '/v1/config/reload', {});
  const beside = await Device.connect(more);
  t.teardown(() => beside.socket.destroy());
  beside.send('x\n');
  await beside.until((text) => text.endsWith('one x\n'));

  slow.send('slow\n');
  slow.send('after\n');
  // Another connection's answer shows that the handler runs.
  beside.send('y\n');
  await beside.until((text) => text.endsWith('one y\n'));
  const next = await gateway.restart();
  t.match(gateway.cli.stderr, /"closed":\{"tcp":1\}/, 'a handler that waits longer than 2 s stays behind');
  await slow.until((text) => text.includes('slow is over'));

  t.match(await ask('POST', '/v1/mesh/publish', { c: 'news', d: 'hello' }), { r: { s: 1, f: 0 } });
  await device.until((text) => text.endsWith('< hello\n'));
  const { id } = await ask('POST', '/v1/devices/device-1/commands', { name: 'ping' }, center);
  let state: unknown;
  while (state !== 'done') {
    state = (await ask('GET', `/v1/commands/${id}`, undefined, center)).state;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  beside.send('z\n');
  await beside.until((text) => text.endsWith('one z\n'));
  t.equal(await echoed('b'), 'b');
  t.match(await ask('GET', '/v1/links/later'), { added: true, state: 'open' });

  // Reloaded after it: what was added goes, its client with it; the other one gets the new script.
  writeFileSync(join(folder, 'm.lua'), SCRIPT.replace('VERSION', 'two'));
  writeFileSync(file, written);
  await ask('POST', '/v1/config/reload', {});
  await ask('POST', '/v1/scripts/reload', {});
  await eventually('its client has gone', () => beside.closed);
  device.send('w\n');
  await device.until((text) => text.endsWith('two w\n'));
  await gateway.restart(next);
  device.send('v\n');
  await device.until((text) => text.endsWith('two v\n'));
  t.match(readFileSync(file, 'utf8'), 'servers');
});
