import t from 'tap';
import { moonwire } from '../support/cli.js';

t.test('the tests beside the modules and the case folders pass', async (t) => {
  const { code, stdout } = await moonwire(['test', 'lua']);
  t.equal(code, 0, stdout);
  t.notMatch(stdout, /^not ok/m);
  for (const name of ['gt06', 'teltonika', 'modbus_rtu', 'dlt645', 'znet']) {
    t.match(stdout, `lua/protocols/${name}_test.lua: `);
  }
  t.match(stdout, /^ok \d+ - lua\/utils\/router_test\.lua: /m);
  t.equal(stdout.match(/^ok \d+ - lua\/cases\//gm)?.length, 2);
});
