import { readFileSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { moonwire } from '../support/cli.js';
import { jsonLines, startOperated } from '../support/operated.js';

t.test('reload tells what became of each script', async (t) => {
  const { at, connect, engine } = await startOperated(t);
  const { device } = await connect('dev-1');
  const { entry } = engine.servers[0]!.station.settings;
  const text = readFileSync(entry, 'utf8');

  const idle = await moonwire(['reload', ...at, '--server', 's']);
  t.equal(idle.code, 0, idle.stderr);
  t.equal(idle.stdout, 's: nothing was saved\n');

  writeFileSync(entry, text.replace('conn:send("ok\\n")', 'conn:send("new\\n")'));
  const done = await moonwire(['reload', ...at, '--server', 's']);
  t.equal(done.code, 0, done.stderr);
  t.match(done.stdout, /^s: runs the saved script\n {2}.*\.lua \w{12} -> \w{12}\n$/);
  device.send('x\n');
  await device.until((received) => received === 'new\n');

  writeFileSync(entry, 'local broken =');
  const refused = await moonwire(['reload', ...at, '--server', 's']);
  t.equal(refused.code, 1);
  t.match(refused.stdout, /^s: refused, the old script goes on: .*\.lua:1: .*\n {2}.*->/);
  const [json] = jsonLines((await moonwire(['reload', ...at, '--server', 's', '--json'])).stdout);
  t.match(json, { server: 's', outcome: 'refused', reason: /:1:/, at: Number });

  const unknown = await moonwire(['reload', ...at, '--server', 'nobody']);
  t.equal(unknown.code, 1);
  t.match(unknown.stderr, /no server or link nobody/);
  const forced = await moonwire(['reload', ...at, '--force']);
  t.equal(forced.code, 1);
});
