import { writeFileSync } from 'node:fs';
import t from 'tap';
import { ApiClient } from '../../src/cli/api-client.js';
import { moonwire, startMoonwire } from '../support/cli.js';
import { until } from '../support/engine.js';
import { missing } from '../support/need.js';
import { freePort } from '../support/ports.js';
import { ptyPair } from '../support/pty.js';
import { pymodbus, pymodbusMissing } from '../support/pymodbus.js';

const skip = missing('socat', 'socat') || pymodbusMissing();

/** Polls unit 1 as often as the line allows. */
const SCRIPT = `
protocol = require "protocols.modbus_rtu"
function on_connect(id, conn)
  while true do
    local reply, err = conn:request({ unit = 1, function_code = 3, address = 0, quantity = 1 }, { priority = "poll" })
    if not reply and err:find("^closed") then return end
  end
end`;

t.test('a link of an engine that runs is scanned between its polls', { skip }, async (t) => {
  const pair = await ptyPair();
  t.teardown(() => pair.remove());
  await pymodbus(t, pair.b, { 1: { holding: { 0: 1 } }, 3: {}, 17: {} });
  const port = await freePort();
  const folder = t.testdir({ 'main.lua': SCRIPT });
  const file = `${folder}/x.yaml`;
  writeFileSync(
    file,
    `
engine:
  apiServer: { port: ${port} }
  meshPoint: { port: 0 }
  links: [{ name: meters, serial: { port: "${pair.a}" }, entry: main.lua, bus: { timeout: 2 } }]
store: { path: ${folder}/data }
access: { users: [{ username: op, password: secret-of-op, roles: [read, write] }] }
`,
  );
  const engine = startMoonwire(t, ['engine', '-f', file]);
  const api = new ApiClient(
    { host: '127.0.0.1', port },
    `Basic ${Buffer.from('op:secret-of-op').toString('base64')}`,
  );
  let bus: Record<string, unknown> = {};
  const look = setInterval(async () => {
    bus = await api.get('/v1/buses/meters').catch(() => ({}));
  }, 50);
  t.teardown(() => clearInterval(look));
  const replies = () => Number(bus.replies ?? 0);
  await until(
    () => replies() > 2,
    () => `${JSON.stringify(bus)}\n${engine.stdout}${engine.stderr}`,
  );

  const scan = ['scan', 'meters', '-f', file, '--units', '1-3,17', '--timeout', '600'];
  const stranger = await moonwire(scan);
  t.match(stranger.stderr, /^moonwire: the engine does not lend the line of meters: /);
  t.equal(stranger.code, 1);

  const env = { MOONWIRE_API_PASSWORD: 'secret-of-op' };
  const { code, stdout, stderr } = await moonwire([...scan, '--user', 'op'], { env });
  t.equal(stderr, '');
  t.equal(
    stdout,
    [
      'the engine lends the line of meters, its polls wait',
      'unit 1 at 9600 8N1: answers',
      'unit 3 at 9600 8N1: answers',
      'unit 17 at 9600 8N1: answers',
      'meters: 3 units answer',
      '',
    ].join('\n'),
  );
  t.equal(code, 0);
  const before = replies();
  await until(() => replies() > before + 2);
  t.match(bus, { lent: false, connected: true, timeouts: 0, interrupted: 0, units: [{ state: 'closed' }] });
  t.match(engine.stderr + engine.stdout, /the line of meters is lent[\s\S]*the line of meters is back/);

  // A port that is named says who has it.
  const held = await moonwire(['scan', '--port', pair.a, '--units', '1']);
  t.match(held.stderr, new RegExp(`is held by \\S+ \\(${engine.pid}\\): .*name its link and -f FILE`));
});
