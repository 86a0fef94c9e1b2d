import t, { type Test } from 'tap';
import type { Check } from '../../src/boards/check.js';
import { examine } from '../../src/boards/examine.js';
import { Machine } from '../../src/boards/machine.js';
import type { RunProgram } from '../../src/boards/system-checks.js';
import { parseConfig } from '../../src/config/load.js';
import { listSerialPorts, locateSerialPort } from '../../src/transports/serialports.js';
import { Tree } from './trees.js';

const USER = 1000;
const CONFIG_TXT = '/boot/firmware/config.txt';

interface Subject {
  /** What the link's serial section says. */
  serial?: string;
  board?: string;
  groups?: number[];
  uid?: number;
  run?: RunProgram;
  heapLimit?: number;
  store?: string;
}

/** What is found on a machine whose one link is `serial`. */
async function find(t: Test, tree: Tree, subject: Subject): Promise<Check[]> {
  const {
    serial,
    board = 'auto',
    groups = [],
    uid = USER,
    run = async () => undefined,
    store = '1MiB',
  } = subject;
  const folder = t.testdir({ 'entry.lua': '' });
  const link = `{ name: bus, serial: { ${serial} }, entry: entry.lua }`;
  const lines = [
    `board: ${board}`,
    `store: { maxBytes: ${store} }`,
    ...(serial ? [`engine: { links: [${link}] }`] : []),
  ];
  const { root } = tree;
  return examine({
    machine: new Machine({ root, arch: 'arm64', uid, groups }),
    config: parseConfig(lines.join('\n'), `${folder}/x.yaml`, { env: {} }).config,
    ports: await listSerialPorts(root),
    locate: (port) => locateSerialPort(port, root),
    run,
    ...(subject.heapLimit !== undefined && { heapLimit: subject.heapLimit }),
  });
}

async function one(t: Test, tree: Tree, name: string, subject: Subject): Promise<Check | undefined> {
  return (await find(t, tree, subject)).find((check) => check.name === name);
}

/** A Raspberry Pi 4 as it comes: Bluetooth has UART 0, the header has the mini UART with a console. */
function pi4(t: Test, config = 'dtparam=audio=on\n'): Tree {
  const tree = new Tree(t).deviceTree({
    model: 'Raspberry Pi 4 Model B Rev 1.4',
    compatible: ['raspberrypi,4-model-b'],
  });
  tree.uart('ttyAMA0', 'serial@7e201000').file(CONFIG_TXT, config);
  return tree.file('/proc/device-tree/aliases/serial0', '/soc/serial@7e215040\0');
}

t.test('a sound machine', async (t) => {
  const tree = pi4(t, 'enable_uart=1\ndtoverlay=disable-bt\n').file('/run/systemd/timesync/synchronized');
  tree.file('/proc/meminfo', 'MemTotal:        3884960 kB\nMemFree:  1 kB\nMemAvailable:    3000000 kB\n');
  tree.file('/dev/watchdog').file('/etc/systemd/system.conf.d/w.conf', '[Manager]\nRuntimeWatchdogSec=15s\n');
  tree.file('/proc/device-tree/aliases/serial0', '/soc/serial@7e201000\0');
  const gid = tree.gid('/dev/ttyAMA0');
  const checks = await find(t, tree, {
    serial: 'port: rs485-1, parity: even',
    groups: [gid],
    heapLimit: 2 ** 29,
  });
  t.same(
    checks.filter(({ state }) => state !== 'ok'),
    [],
  );
  t.same(
    checks.map(({ name }) => name),
    ['board', 'port', 'permission', 'rs485', 'clock', 'memory', 'disk', 'watchdog', 'profile'],
  );
});

t.test('a UART that is not enabled, and one that takes effect at the next start', async (t) => {
  const off = await one(t, pi4(t), 'port', { serial: 'port: uart3' });
  t.match(off, {
    state: 'problem',
    link: 'bus',
    text: /dtoverlay=uart3 is not in \/boot\/firmware\/config\.txt$/,
  });
  t.same(off!.type, [`echo 'dtoverlay=uart3' | sudo tee -a ${CONFIG_TXT}`, 'sudo reboot']);
  const waiting = await one(t, pi4(t, 'dtoverlay=uart3,ctsrts\n'), 'port', { serial: 'port: uart3' });
  t.match(waiting, { state: 'problem', text: /next start/, type: ['sudo reboot'] });
  const commented = await one(t, pi4(t, '#dtoverlay=uart3\n'), 'port', { serial: 'port: uart3' });
  t.match(commented!.text, /dtoverlay=uart3 is not in/);
});

t.test('lines of the older place of the file', async (t) => {
  const tree = new Tree(t).deviceTree({ model: 'x', compatible: ['raspberrypi,3-model-b'] });
  tree.file('/boot/config.txt', '');
  const found = await one(t, tree, 'port', { serial: 'port: uart0' });
  t.match(found!.type, [/enable_uart=1' \| sudo tee -a \/boot\/config\.txt$/, /disable-bt/, 'sudo reboot']);
});

t.test('Armbian has the overlays in one line', async (t) => {
  const orange = (env: string): Tree =>
    new Tree(t)
      .deviceTree({ model: 'x', compatible: ['xunlong,orangepi-pc'] })
      .file('/boot/armbianEnv.txt', env);
  const merged = await one(t, orange('overlays=usbhost2 i2c0\n'), 'port', { serial: 'port: uart3' });
  t.equal(merged!.type![0], "sudo sed -i 's/^overlays=.*/& uart3/' /boot/armbianEnv.txt");
  const first = await one(t, orange('verbosity=1\n'), 'port', { serial: 'port: uart3' });
  t.equal(first!.type![0], "echo 'overlays=uart3' | sudo tee -a /boot/armbianEnv.txt");
  const done = await one(t, orange('overlays=i2c0 uart3\n'), 'port', { serial: 'port: uart3' });
  t.match(done!.text, /next start/);
});

t.test('U-Boot takes an overlay under any number and with its path', async (t) => {
  const tree = new Tree(t).deviceTree({ model: 'x', compatible: ['ti,am335x-bone-black'] });
  tree.file('/boot/uEnv.txt', 'uboot_overlay_addr1=/lib/firmware/BB-UART1-00A0.dtbo\n');
  t.match((await one(t, tree, 'port', { serial: 'port: uart1' }))!.text, /next start/);
  t.match((await one(t, tree, 'port', { serial: 'port: uart4' }))!.text, /BB-UART4-00A0\.dtbo is not in/);
});

t.test('a UART that Bluetooth has', async (t) => {
  const found = await one(t, pi4(t), 'enabled', { serial: 'port: uart0' });
  t.match(found, {
    state: 'problem',
    text: /not wired to its pins \(GPIO 14.*Bluetooth.*disable-bt is missing$/,
  });
  t.equal(found!.type!.at(-1), 'sudo reboot');
});

t.test('the mini UART has no parity', async (t) => {
  const tree = pi4(t).uart('ttyS0', 'serial@7e215040', 'bcm2835-aux-uart');
  t.match(await one(t, tree, 'parity', { serial: 'port: uart1, parity: even' }), { state: 'problem' });
  t.equal(await one(t, tree, 'parity', { serial: 'port: uart1' }), undefined);
  t.equal(await one(t, tree, 'enabled', { serial: 'port: uart1' }), undefined, 'the pins are its own here');
});

t.test('a console and a login on the port', async (t) => {
  const tree = pi4(t).uart('ttyS0', 'serial@7e215040').link('/dev/serial0', '/dev/ttyS0');
  tree.file('/proc/cmdline', 'coherent_pool=1M console=serial0,115200 console=tty1 root=/dev/sda\n');
  const kernel = await one(t, tree, 'console', { serial: 'port: uart1' });
  t.match(kernel, { state: 'problem', text: /^the kernel console is on ttyS0/ });
  t.match(kernel!.type, ['sudo raspi-config nonint do_serial_cons 1', /serial-getty@ttyS0\.service$/]);
  t.equal(await one(t, tree, 'console', { serial: 'port: uart0' }), undefined);
  tree.file('/run/systemd/generator/getty.target.wants/serial-getty@ttyAMA0.service');
  t.match((await one(t, tree, 'console', { serial: 'port: /dev/ttyAMA0' }))!.text, /^a login is on ttyAMA0/);
});

t.test('a user without permission', async (t) => {
  const tree = pi4(t);
  const gid = tree.gid('/dev/ttyAMA0');
  tree.file('/etc/group', `dialout:x:${gid}:pi\n`);
  const serial = 'port: /dev/ttyAMA0';
  const denied = await one(t, tree, 'permission', { serial, uid: 4711 });
  t.match(denied, { state: 'problem', text: /group dialout, which this user is not in/ });
  t.same(denied!.type, ['sudo usermod -aG dialout $USER']);
  t.match(await one(t, tree, 'permission', { serial, uid: 4711, groups: [gid] }), { state: 'ok' });
  t.match(await one(t, tree, 'permission', { serial, uid: 0 }), { state: 'ok', text: /root may/ });
  tree.mode('/dev/ttyAMA0', 0o600);
  t.match(await one(t, tree, 'permission', { serial, uid: 4711, groups: [gid] }), {
    state: 'problem',
    type: ['sudo chmod g+rw /dev/ttyAMA0'],
  });
});

t.test('another program on the port', async (t) => {
  const tree = pi4(t).link('/dev/serial1', '/dev/ttyAMA0').process(process.pid, 'node', '/dev/ttyAMA0');
  t.equal(await one(t, tree, 'held', { serial: 'port: uart0' }), undefined, 'this process does not count');
  tree.process(1 + process.pid, 'hciattach', '/dev/ttyAMA0');
  const held = await one(t, tree, 'held', { serial: 'port: /dev/serial1' });
  t.match(held, { state: 'warning', link: 'bus', text: /^held by hciattach \(\d+\)/ });
});

t.test('who switches the direction', async (t) => {
  const revpi = (): Tree => {
    const tree = new Tree(t).deviceTree({ model: 'x', compatible: ['kunbus,revpi-connect'] });
    return tree.uart('ttyAMA0', 'serial@7e201000').link('/dev/ttyRS485', '/dev/ttyAMA0');
  };
  const serial = 'port: rs485-1';
  const none = await one(t, revpi(), 'rs485', { serial });
  t.match(none, { state: 'problem', type: [/dtoverlay=revpi-connect/, 'sudo reboot'] });
  const kernel = revpi().file('/proc/device-tree/soc/serial@7e201000/linux,rs485-enabled-at-boot-time');
  t.match(await one(t, kernel, 'rs485', { serial }), { state: 'ok', text: /^the kernel switches/ });
  t.match(await one(t, kernel, 'rs485', { serial: 'port: /dev/ttyRS485' }), { state: 'ok' });
  t.match(await one(t, pi4(t), 'rs485', { serial }), {
    state: 'ok',
    text: /^the adapter must .*; for one that wants RTS, the kernel can$/,
    type: [/dtc -@ .*uart0-rs485\.dtbo -$/, /dtoverlay=uart0-rs485/, 'sudo reboot'],
  });
});

t.test('ports that are not there', async (t) => {
  const tree = pi4(t);
  const at = (port: string) => one(t, tree, 'port', { serial: `port: '${port}'` });
  t.match(await at('uart9'), { state: 'problem', text: /has no port uart9 \(it has uart0,/ });
  t.match(await at('/dev/ttyUSB0'), {
    state: 'problem',
    text: /not there; serial ports that are: \/dev\/ttyAMA0$/,
  });
  t.match(await at('usb:0403:6001'), { state: 'problem', text: /"moonwire ports" lists/ });
  tree.usb('ttyUSB1', '1-1', '0403', '6001', 'A1');
  t.match(await at('usb:0403:6001'), { state: 'ok', text: 'usb:0403:6001 (/dev/ttyUSB1) is there' });
});

t.test('the board', async (t) => {
  const serial = 'port: /dev/ttyAMA0';
  t.match(await one(t, pi4(t), 'board', { serial, board: 'raspberry-pi-4' }), {
    state: 'ok',
    text: /Rev 1\.4$/,
  });
  const other = await one(t, pi4(t), 'board', { serial, board: 'raspberry-pi-5' });
  t.match(other, { state: 'warning', text: /says raspberry-pi-5, .* Raspberry Pi 4 .* \(raspberry-pi-4\)$/ });
  t.match(await one(t, pi4(t), 'board', { serial, board: 'nothing' }), {
    state: 'problem',
    text: /known: beagle/,
  });
});

t.test('the clock', async (t) => {
  const clock = (answer: string | undefined) => one(t, new Tree(t), 'clock', { run: async () => answer });
  t.match(await clock('yes\n'), { state: 'ok' });
  t.match(await clock('no\n'), { state: 'warning', type: ['sudo timedatectl set-ntp true', /./] });
  t.match(await clock(undefined), { state: 'unknown' });
});

t.test('memory and disk', async (t) => {
  const memory = (available: number) =>
    one(
      t,
      new Tree(t).file('/proc/meminfo', `MemTotal: 440000 kB\nMemAvailable: ${available} kB\n`),
      'memory',
      {},
    );
  t.match(await memory(65536), { state: 'ok', text: '64 MiB of 429 MiB memory are available' });
  t.match(await memory(65535), { state: 'warning' });
  t.match(await memory(24000), { state: 'problem' });
  t.match(await one(t, new Tree(t), 'memory', {}), { state: 'unknown' });
  t.match(await one(t, new Tree(t), 'disk', { store: '1MiB' }), {
    state: 'ok',
    text: / are free for \/.*data$/,
  });
  t.match(await one(t, new Tree(t), 'disk', { store: '1024GiB' }), {
    state: 'warning',
    type: [/^df -h/, /./, /./],
  });
});

t.test('the watchdog', async (t) => {
  const watchdog = (tree: Tree) => one(t, tree, 'watchdog', {});
  t.match(await watchdog(new Tree(t)), { state: 'unknown' });
  t.match(await watchdog(pi4(t)), { state: 'warning', type: [/dtparam=watchdog=on/, 'sudo reboot'] });
  const idle = pi4(t).file('/dev/watchdog').file('/etc/systemd/system.conf', '#RuntimeWatchdogSec=10\n');
  t.match(await watchdog(idle), {
    state: 'warning',
    type: [/mkdir/, /RuntimeWatchdogSec=15\\n/, /daemon-reexec/],
  });
  idle.file('/usr/lib/systemd/system.conf.d/50-a.conf', '[Manager]\nRuntimeWatchdogSec=1min\n');
  t.match(await watchdog(idle), { state: 'ok', text: /RuntimeWatchdogSec=1min/ });
  idle.file('/etc/systemd/system.conf.d/60-b.conf', '[Manager]\nRuntimeWatchdogSec=off\n');
  t.match(await watchdog(idle), { state: 'warning' });
});

t.test('the memory profile', async (t) => {
  const tree = (): Tree =>
    new Tree(t)
      .deviceTree({ model: 'Raspberry Pi Zero 2 W Rev 1.0', compatible: [] })
      .file('/proc/meminfo', 'MemTotal: 440000 kB\nMemAvailable: 200000 kB\n');
  const profile = (tree: Tree, heapLimit?: number) => one(t, tree, 'profile', heapLimit ? { heapLimit } : {});
  t.match(await profile(tree(), 112 * 2 ** 20), { state: 'ok', text: /112 MiB/ });
  const wide = await profile(tree(), 259 * 2 ** 20);
  t.match(wide, {
    state: 'warning',
    text: 'the heap may grow to 259 MiB; the memory profile of the board says 96 MiB',
  });
  t.match(wide!.type![1], /Environment="NODE_OPTIONS=--max-old-space-size=96 --max-semi-space-size=1"/);
  // What the doctor tells to type is what it then finds.
  const mended = tree().file(
    '/etc/systemd/system/moonwire.service.d/memory.conf',
    /printf '(.*)'/.exec(wide!.type![1]!)![1]!.replaceAll('\\n', '\n'),
  );
  t.match(await profile(mended), { state: 'ok', text: /96 MiB/ });
});
