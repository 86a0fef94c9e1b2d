import t, { type Test } from 'tap';
import { loadBoard } from '../../src/boards/catalogue.js';
import { Machine } from '../../src/boards/machine.js';
import { boardPort, resolvePorts } from '../../src/boards/ports.js';
import { parseConfig } from '../../src/config/load.js';
import type { Config } from '../../src/config/schema.js';
import { type Logger, silentLogger } from '../../src/log.js';
import { listSerialPorts } from '../../src/transports/serialports.js';
import { Tree } from './trees.js';

const PI4 = {
  model: 'Raspberry Pi 4 Model B Rev 1.4',
  compatible: ['raspberrypi,4-model-b', 'brcm,bcm2711'],
};

function configWith(t: Test, ports: string[], board = 'auto'): Config {
  const folder = t.testdir({ 'entry.lua': '' });
  const links = ports.map(
    (port, at) => `    - { name: l${at}, serial: { port: '${port}' }, entry: entry.lua }`,
  );
  const text = [`board: ${board}`, 'engine:', '  links:', ...links, ''].join('\n');
  return parseConfig(text, `${folder}/x.yaml`, { env: {} }).config;
}

/** The ports of the links after they were resolved. */
async function resolved(tree: Tree, config: Config, log: Logger = silentLogger) {
  const machine = new Machine({ root: tree.root, arch: 'arm64' });
  const result = resolvePorts(config, await listSerialPorts(tree.root), machine, log);
  const ports = result.config.engine.links.map((link) => (link.kind === 'serial' ? link.serial.port : ''));
  return { ports, problems: result.problems };
}

t.test('a board that numbers its UARTs by the order they are enabled in', async (t) => {
  // As kernels do that have no aliases for them: UART 5 is the first PL011 after UART 0.
  const tree = new Tree(t).deviceTree(PI4);
  tree
    .uart('ttyAMA0', 'serial@7e201000')
    .uart('ttyAMA1', 'serial@7e201a00')
    .uart('ttyAMA3', 'serial@7e201800');
  const config = configWith(t, ['uart5', 'uart4', 'rs485-1', 'uart3', '/dev/ttyUSB0', 'usb:0403:6001']);
  const warnings: string[] = [];
  const { ports, problems } = await resolved(tree, config, {
    ...silentLogger,
    warn: (line) => void warnings.push(line),
  });
  t.same(ports.slice(0, 3), ['/dev/ttyAMA1', '/dev/ttyAMA3', '/dev/ttyAMA0']);
  t.equal(ports[3], '/dev/uart3', 'never the path of another UART');
  t.same(ports.slice(4), ['/dev/ttyUSB0', 'usb:0403:6001'], 'other ports stay as they are');
  t.same(problems, []);
  t.match(warnings, [/link l3: uart3 of the Raspberry Pi 4 .* is not there; "moonwire doctor"/]);
});

t.test('a board whose ports have fixed paths', async (t) => {
  const tree = new Tree(t).deviceTree({ model: 'X', compatible: ['kunbus,revpi-connect'] });
  tree.uart('ttyAMA0', 'serial@7e201000').link('/dev/ttyRS485', '/dev/ttyAMA0');
  t.same(await resolved(tree, configWith(t, ['rs485-1'])), { ports: ['/dev/ttyRS485'], problems: [] });
});

t.test('an unknown name is a problem that tells the known ones', async (t) => {
  const tree = new Tree(t).deviceTree(PI4);
  const { problems } = await resolved(tree, configWith(t, ['rs485-9', 'toString', '/dev/x', 'uart1']));
  t.equal(problems.length, 2);
  t.match(problems[0], /^link l0: the Raspberry Pi 4 .* has no port rs485-9 \(it has uart0, .*rs485-1.*\)/);
  const bare = await resolved(new Tree(t), configWith(t, ['ttyUSB0'], 'generic-arm64'));
  t.match(bare.problems, [/has no port ttyUSB0 \(it names none\); .* a path such as \/dev\/ttyUSB0$/]);
});

t.test('the board is looked for only when a link needs it', async (t) => {
  const config = configWith(t, ['/dev/ttyS0'], 'no-such-board');
  t.same(await resolved(new Tree(t), config), { ports: ['/dev/ttyS0'], problems: [] });
  await t.rejects(resolved(new Tree(t), configWith(t, ['uart0'], 'no-such-board')), { code: 'not_found' });
});

t.test('a machine without a device tree goes by the paths', async (t) => {
  const board = loadBoard('raspberry-pi-4');
  const { root } = new Tree(t).file('/dev/ttyAMA3');
  const port = boardPort(board, 'uart3', [{ path: '/dev/ttyAMA3', node: undefined }], new Machine({ root }));
  t.match(port, { path: '/dev/ttyAMA3', present: true });
});
