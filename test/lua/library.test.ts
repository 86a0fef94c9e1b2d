import t from 'tap';
import { moonwire } from '../support/cli.js';

t.test('the tests beside the modules and the case folders pass', async (t) => {
  const { code, stdout } = await moonwire(['test', 'lua']);
  t.strictSame(stdout.match(/^not ok.*\n(?: .*\n)*/gm) ?? [], []);
  t.equal(code, 0);
  for (const name of ['gt06', 'teltonika', 'modbus_rtu', 'dlt645', 'znet', 'websocket']) {
    t.ok(stdout.includes(`lua/protocols/${name}_test.lua: `), name);
  }
  t.ok(stdout.includes('lua/utils/router_test.lua: '), 'router');
  t.equal(stdout.match(/^ok \d+ - lua\/cases\//gm)?.length, 2);
});
