import t from 'tap';
import { Tree } from '../boards/trees.js';
import { moonwire } from '../support/cli.js';

t.test('problems are told with what to type, and are the exit code', async (t) => {
  const tree = new Tree(t).deviceTree({
    model: 'Raspberry Pi 4 Model B',
    compatible: ['raspberrypi,4-model-b'],
  });
  tree.file('/boot/firmware/config.txt', 'dtparam=audio=on\n');
  const folder = t.testdir({
    'entry.lua': '',
    'x.yaml': 'engine: { links: [{ name: bus, serial: { port: uart3 }, entry: entry.lua }] }\n',
  });
  const args = ['doctor', '-f', `${folder}/x.yaml`, '--root', tree.root];
  const { code, stdout, stderr } = await moonwire(args);
  t.equal(stderr, '');
  t.equal(code, 1);
  t.match(stdout, /^ok {7}board: Raspberry Pi 4 Model B and 400 \(raspberry-pi-4\)/);
  t.match(stdout, /^problem {2}bus port: uart3 of the .* is not there: dtoverlay=uart3 is not in/m);
  t.match(stdout, /^ {9}\$ echo 'dtoverlay=uart3' \| sudo tee -a \/boot\/firmware\/config\.txt$/m);
  const json = JSON.parse((await moonwire([...args, '--json'])).stdout);
  t.match(json, { ok: false, checks: [{ name: 'board' }, { name: 'port', link: 'bus', state: 'problem' }] });
});

t.test('without a configuration the machine alone is looked at', async (t) => {
  const { code, stdout } = await moonwire(['doctor', '--root', new Tree(t).root]);
  t.equal(code, 0);
  t.match(stdout, /-f FILE checks the serial ports/);
});

t.test('a configuration that cannot be used is an error', async (t) => {
  const { code, stderr } = await moonwire(['doctor', '-f', 'no-such.yaml']);
  t.equal(code, 1);
  t.match(stderr, /no-such\.yaml.*does not exist/);
});
