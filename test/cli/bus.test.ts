import { once } from 'node:events';
import { createServer } from 'node:net';
import t from 'tap';
import { EngineHost } from '../../src/api/engine-host.js';
import { startTestApi } from '../support/api.js';
import { moonwire } from '../support/cli.js';
import { startTestEngine, until } from '../support/engine.js';
import { jsonLines } from '../support/operated.js';

/** Requests are lines; what a unit answers is its name and a number, "b" answers errors, "c" nothing. */
const SCRIPT = `
protocol = {
  name = "lines", frame = mix.frame.delimiter { ends = "\\n" },
  decode = function(f) local unit, code = f:match("^(%a)(%d*)$") return { unit = unit, error_code = tonumber(code) } end,
  encode = function(m) return m.unit .. "\\n" end,
  matches = function(request, message) return request.unit == message.unit, "wrong_unit" end,
}
function on_connect(id, conn)
  for _, unit in ipairs { "a", "b", "c" } do conn:request({ unit = unit }) end
  mix.report("done", {})
end`;

t.test('bus: all of them, one with its units, and one that is not there', async (t) => {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      const unit = bytes.toString().trim();
      if (unit === 'a') socket.write('a\n');
      if (unit === 'b') socket.write('x\nb4\n');
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as { port: number };
  const test = await startTestEngine(
    { 'main.lua': SCRIPT },
    `links: [{ name: l, tcp: { host: 127.0.0.1, port: ${port} }, entry: main.lua,
      bus: { name: house, timeout: 0.1, retries: 0, breaker: { failures: 1 } } }]`,
  );
  t.teardown(() => test.stop());
  const host = new EngineHost(test.engine, { version: '1.2.3', api: () => undefined });
  const { api, stop, request } = await startTestApi(host);
  t.teardown(stop);
  await until(() => test.reports.length === 1);

  const at = ['--api', api.address];
  const all = await moonwire(['bus', ...at]);
  t.equal(all.code, 0, all.stderr);
  t.match(all.stdout, /^BUS +LINE +LOAD +WAIT +REQUESTS.*\nhouse +up +[\d.]+% +0 +3 +2 +1 /);
  const one = await moonwire(['bus', 'house', ...at]);
  t.match(one.stdout, /\n +a +ok +1 +1 +0 /);
  t.match(one.stdout, /\n +b +ok .* 4:1\n/);
  t.match(one.stdout, /\n +c +open: no reply, probe in \ds +1 +0 +1 /);
  const { stdout } = await moonwire(['bus', 'house', '--json', ...at]);
  t.match(jsonLines(stdout), [
    { name: 'house', links: ['l'], wrong_unit: 1, exceptions: { 4: 1 }, units: [{}, {}, { state: 'open' }] },
  ]);
  t.equal((await moonwire(['bus', 'l', ...at])).stdout.split('\n').length, one.stdout.split('\n').length);
  const missing = await moonwire(['bus', 'nowhere', ...at]);
  t.equal(missing.code, 1);
  t.match(missing.stderr, 'no bus nowhere');
  t.match(await request('GET', '/v1/buses/house'), { status: 200, body: { replies: 2 } });
});
