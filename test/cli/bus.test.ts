import t from 'tap';
import { startEngineWithApi } from '../support/api.js';
import { moonwire } from '../support/cli.js';
import { jsonLines } from '../support/operated.js';

t.test('bus', async (t) => {
  const running = await startEngineWithApi('function on_message() end');
  t.teardown(() => running.stop());
  const at = ['--api', running.api.address];
  const none = await moonwire(['bus', ...at]);
  t.equal(none.code, 0, none.stderr);
  t.match(none.stdout, /^BUS +LINE +LOAD/);
  t.equal((await moonwire(['bus', 'nowhere', ...at])).code, 1);
  t.strictSame(jsonLines((await moonwire(['bus', '--json', ...at])).stdout), []);
});
