import { execFileSync } from 'node:child_process';
import t, { type Test } from 'tap';
import { parseBoard } from '../../src/boards/board.js';
import { boardNames, detectBoard, findBoard, loadBoard } from '../../src/boards/catalogue.js';
import { Machine } from '../../src/boards/machine.js';
import { HERE, problemsOf } from '../config/support.js';
import { Tree } from './trees.js';

const NAMES = [
  'beaglebone-black',
  'compute-module-4',
  'generic-arm64',
  'generic-armv7',
  'generic-x64',
  'orange-pi-pc',
  'raspberry-pi-3',
  'raspberry-pi-4',
  'raspberry-pi-5',
  'raspberry-pi-zero-2-w',
  'revolution-pi-connect',
];

t.test('every board that is brought along can be read', async (t) => {
  t.same(boardNames(), NAMES);
  for (const name of NAMES) t.ok(loadBoard(name).title, name);
});

t.test('no two boards are the same machine', async (t) => {
  const boards = NAMES.map((name) => loadBoard(name));
  const names = boards.flatMap(({ compatible }) => compatible);
  t.equal(new Set(names).size, names.length);
  const nodes = boards.map(({ serial }) => Object.values(serial).flatMap(({ node }) => node ?? []));
  for (const list of nodes) t.equal(new Set(list).size, list.length);
});

t.test('Node takes every flag of a memory profile from its environment', async (t) => {
  const profiles = NAMES.flatMap((name) => loadBoard(name).memory.map(({ flags }) => flags.join(' ')));
  for (const flags of new Set(profiles.filter(Boolean))) {
    const [size] = /(?<=old-space-size=)\d+/.exec(flags)!;
    const script = 'console.log(require("v8").getHeapStatistics().heap_size_limit / 2 ** 20)';
    const limit = Number(
      execFileSync(process.execPath, ['-e', script], { env: { NODE_OPTIONS: flags }, encoding: 'utf8' }),
    );
    t.ok(limit >= Number(size) && limit < Number(size) * 1.3, `${flags}: ${limit} MiB`);
  }
});

const MACHINES: [string, string, string[], NodeJS.Architecture][] = [
  ['raspberry-pi-4', 'Raspberry Pi 4 Model B Rev 1.4', ['raspberrypi,4-model-b', 'brcm,bcm2711'], 'arm64'],
  ['raspberry-pi-5', 'Raspberry Pi 5 Model B Rev 1.0', ['raspberrypi,5-model-b', 'brcm,bcm2712'], 'arm64'],
  ['raspberry-pi-3', 'Raspberry Pi 3 Model B Plus Rev 1.3', ['brcm,bcm2837'], 'arm'],
  ['raspberry-pi-zero-2-w', 'Raspberry Pi Zero 2 W Rev 1.0', ['raspberrypi,model-zero-2-w'], 'arm64'],
  ['compute-module-4', 'Raspberry Pi Compute Module 4 Rev 1.1', ['raspberrypi,4-compute-module'], 'arm64'],
  // Its model is that of the module inside.
  [
    'revolution-pi-connect',
    'Raspberry Pi Compute Module 4 Rev 1.1',
    ['kunbus,revpi-connect', 'brcm,bcm2837'],
    'arm',
  ],
  ['beaglebone-black', 'TI AM335x BeagleBone Black', ['ti,am335x-bone-black', 'ti,am33xx'], 'arm'],
  ['orange-pi-pc', 'Xunlong Orange Pi PC', ['xunlong,orangepi-pc', 'allwinner,sun8i-h3'], 'arm'],
  ['generic-arm64', 'Some Board', ['maker,some-board', 'soc,thing'], 'arm64'],
  ['generic-armv7', 'Raspberry Pi Model B Rev 2', ['raspberrypi,model-b'], 'arm'],
];

for (const [name, model, compatible, arch] of MACHINES) {
  t.test(`${model} is ${name}`, async (t) => {
    const { root } = new Tree(t).deviceTree({ model, compatible });
    t.equal(detectBoard(new Machine({ root, arch }))?.name, name);
  });
}

t.test('a machine without a device tree is told by its architecture', async (t) => {
  const board = (arch: string) => detectBoard(new Machine({ root: new Tree(t).root, arch }))?.name;
  t.equal(board('x64'), 'generic-x64');
  t.equal(board('riscv64'), undefined);
});

t.test('a board is also found by its name', async (t) => {
  const machine = new Machine({ root: new Tree(t).root, arch: 'x64' });
  t.equal(findBoard('auto', machine)?.name, 'generic-x64');
  t.equal(findBoard('raspberry-pi-4', machine)?.name, 'raspberry-pi-4');
  t.throws(() => findBoard('../package', machine), {
    code: 'not_found',
    message: /no board \.\.\/package; known: beaglebone-black, .*revolution-pi-connect$/,
  });
});

const GOOD = [
  'title: Mine',
  'arch: [arm64]',
  'config: { files: [/boot/config.txt] }',
  'serial: { uart0: { paths: [/dev/ttyS0], pins: header, enable: [a=1] } }',
  'rs485: { rs485-1: { uart: uart0, direction: adapter, about: it } }',
  'memory: [{ below: 512, flags: [--max-old-space-size=96] }, { flags: [] }]',
  'notes: [{ fact: it is, source: me }]',
];

function problemOf(t: Test, change: (text: string) => string): string {
  try {
    parseBoard('mine', change(GOOD.join('\n')));
  } catch (error) {
    t.match(error, { code: 'invalid_argument', where: 'boards/mine.yaml' });
    return (error as Error).message;
  }
  t.fail('no problem was found');
  return '';
}

t.test('a bad file names each place and what is allowed', async (t) => {
  t.equal(parseBoard('mine', GOOD.join('\n')).serial.uart0!.parity, true);
  const cases: [string, string, RegExp][] = [
    [
      'title: Mine',
      'titel: Mine',
      /^boards\/mine\.yaml: title: is missing\nboards\/mine\.yaml: titel: is not a known key$/,
    ],
    ['[arm64]', '[mips]', /arch\.0: must be arm, arm64 or x64/],
    ['/dev/ttyS0', 'ttyS0', /serial\.uart0\.paths\.0: must be a path in \/dev/],
    ['[/dev/ttyS0]', '[]', /serial\.uart0\.paths: needs at least one path/],
    ['adapter', 'maybe', /rs485\.rs485-1\.direction: must be adapter or kernel/],
    ['uart: uart0', 'uart: uart9', /rs485\.rs485-1\.uart: must be one of uart0/],
    ['rs485-1:', 'uart0:', /rs485\.uart0: is the name of a UART too/],
    ['--max-old-space-size=96', 'rm -rf /', /memory\.0\.flags\.0: must be a flag/],
    ['below: 512, ', '', /memory\.0\.below: must rise, and be left out of the last entry only/],
    ['config: { files: [/boot/config.txt] }', '', /config: must name the file/],
    [
      'config: { files: [/boot/config.txt] }',
      'watchdog: { device: /dev/watchdog, maxSeconds: 9, enable: [a=1] }',
      /config: must name/,
    ],
    ['title: Mine', 'title: [', /is not valid YAML/],
    ['memory: [', 'watchdog: 7\nmemory: [', /watchdog: must be a map/],
    ['source: me', 'source: ""', /notes\.0\.source: must not be empty/],
  ];
  for (const [from, to, expected] of cases) {
    t.match(
      problemOf(t, (text) => text.replace(from, to)),
      expected,
    );
  }
});

t.test('a configuration names a board that is known', async (t) => {
  const options = { ...HERE, boards: boardNames() };
  t.same(problemsOf('board: auto', options), []);
  t.same(problemsOf('board: raspberry-pi-4', options), []);
  t.match(problemsOf('board: raspberry-pi-44', options), [
    /^1:8 board: must be auto or the name of a board, got "raspberry-pi-44"$/,
  ]);
  t.same(problemsOf('board: mine'), [], 'who does not know the boards checks none');
});
