import t from 'tap';
import { moonwire } from '../support/cli.js';
import { startTestEngine, until } from '../support/engine.js';
import { library } from '../support/library.js';
import { missing } from '../support/need.js';
import { ptyPair } from '../support/pty.js';
import { pymodbus, pymodbusMissing } from '../support/pymodbus.js';

const skip = missing('socat', 'socat') || pymodbusMissing();

t.test('the units of pymodbus are found, polled by a template and written', { skip }, async (t) => {
  const line = await ptyPair();
  t.teardown(() => line.remove());
  await pymodbus(t, line.b, {
    // 230.2 V and 50 Hz as floats.
    1: { input: { 0: 0x4366, 1: 0x3333, 70: 0x4248, 71: 0 } },
    7: { holding: { 259: 5 } },
  });

  const { code, stdout } = await moonwire([
    ...['scan', '--port', line.a, '--units', '1,2,7', '--bauds', '9600', '--formats', '8N1'],
    ...['--timeout', '500', '--json'],
  ]);
  t.equal(code, 0);
  t.match(JSON.parse(stdout), { found: [{ unit: 1, baudRate: 9600 }, { unit: 7 }] });

  const engine = await startTestEngine(
    {
      ...library,
      'main.lua': `
        require "entry_template"
        local polled = on_connect
        function on_connect(id, conn)
          polled(id, conn)
          local device = require("utils.poller").new {
            template = mix.template("xy_md02"), unit = 7,
            request = function(message, options) return conn:request(message, options) end,
          }
          local ok, err = device:write("temperature_correction", -1.5)
          mix.log(mix.INFO, "written: " .. tostring(ok or err))
          ok, err = device:write("humidity", 1)
          mix.log(mix.INFO, "refused: " .. tostring(ok or err))
        end`,
      'entry_template.lua': library['entry.modbus_template.lua']!,
    },
    `links:
  - name: line
    serial: { port: "${line.a}", baudRate: 9600 }
    entry: main.lua
    options: { template: eastron_sdm120, period: 0.5 }`,
  );
  t.teardown(() => engine.stop());
  const said = (text: string): boolean => engine.log.some(({ message }) => message === text);
  const values = (): { name: string; value: unknown }[] =>
    engine.reports.flatMap(({ values }) => (values as { values: { name: string; value: unknown }[] }).values);
  await until(() => said('written: true') && said('refused: invalid_argument: humidity cannot be written'));
  await until(() => values().some(({ name }) => name === 'frequency'));
  t.match(
    values().find(({ name }) => name === 'voltage'),
    { value: 230.2, unit: 'V' },
  );
  t.match(
    values().find(({ name }) => name === 'frequency'),
    { value: 50, unit: 'Hz' },
  );
});

t.test('the sample configuration is ok', async (t) => {
  const { code, stdout } = await moonwire(['check', 'configs/templates.yaml']);
  t.equal(stdout, 'configs/templates.yaml: ok\n');
  t.equal(code, 0);
});
