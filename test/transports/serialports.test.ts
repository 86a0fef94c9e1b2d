import t, { type Test } from 'tap';
import { openSerial } from '../../src/transports/serial.js';
import { listSerialPorts, locateSerialPort } from '../../src/transports/serialports.js';
import { Tree } from '../boards/trees.js';

function machine(t: Test): Tree {
  const tree = new Tree(t);
  tree.uart('ttyAMA0', 'serial@7e201000').link('/dev/serial0', '/dev/ttyAMA0');
  tree.usb('ttyUSB10', '1-1.3', '0403', '6001', 'B2').usb('ttyUSB2', '1-1.2', '0403', '6001', 'A1');
  tree.usb('ttyUSB3', '1-1.4', '1A86', '7523');
  // A virtual terminal, and a number the 8250 driver keeps free.
  tree.folder('/sys/devices/virtual/tty/tty1').link('/sys/class/tty/tty1', '/sys/devices/virtual/tty/tty1');
  tree.uart('ttyS0', 'serial8250', 'serial8250').file('/sys/class/tty/ttyS0/type', '0\n');
  return tree;
}

t.test('ports are listed with all of their names', async (t) => {
  const ports = await listSerialPorts(machine(t).root);
  t.same(
    ports.map((port) => port.path),
    ['/dev/ttyAMA0', '/dev/ttyUSB2', '/dev/ttyUSB3', '/dev/ttyUSB10'],
  );
  t.same(ports[0], {
    path: '/dev/ttyAMA0',
    driver: 'uart-pl011',
    usb: undefined,
    node: 'serial@7e201000',
    byId: [],
    byPath: [],
    aliases: ['/dev/serial0'],
  });
  t.same(ports[1], {
    path: '/dev/ttyUSB2',
    driver: 'ftdi_sio',
    usb: { vendor: '0403', product: '6001', serial: 'A1', title: 'FTDI FT232R USB UART' },
    node: undefined,
    byId: ['/dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A1-if00-port0'],
    byPath: ['/dev/serial/by-path/platform-usb-0:1-1.2:1.0-port0'],
    aliases: [],
  });
  t.equal(ports[2]!.usb!.serial, undefined);
});

t.test('a machine without sysfs has no ports', async (t) => {
  t.same(await listSerialPorts(new Tree(t).root), []);
});

t.test('a port is found by its USB ids', async (t) => {
  const { root } = machine(t);
  t.equal(await locateSerialPort('/dev/ttyUSB7', root), '/dev/ttyUSB7', 'a path stays as it is');
  t.equal(await locateSerialPort('usb:0403:6001:A1', root), '/dev/ttyUSB2');
  t.equal(await locateSerialPort('usb:0403:6001:B2', root), '/dev/ttyUSB10');
  t.equal(await locateSerialPort('usb:1a86:7523', root), '/dev/ttyUSB3', 'in upper or lower case');
});

t.test('a device that is plugged in again is found under its new number', async (t) => {
  const tree = machine(t);
  t.equal(await locateSerialPort('usb:0403:6001:A1', tree.root), '/dev/ttyUSB2');
  tree.remove('/sys/class/tty/ttyUSB2');
  await t.rejects(locateSerialPort('usb:0403:6001:A1', tree.root), { code: 'not_found' });
  tree.usb('ttyUSB4', '1-1.5', '0403', '6001', 'A1-');
  await t.rejects(
    locateSerialPort('usb:0403:6001:A1', tree.root),
    { code: 'not_found' },
    'not by a part of it',
  );
  tree.usb('ttyUSB5', '1-1.6', '0403', '6001', 'A1');
  t.equal(await locateSerialPort('usb:0403:6001:A1', tree.root), '/dev/ttyUSB5');
});

t.test('it is not found, or not the only one', async (t) => {
  const { root } = machine(t);
  await t.rejects(locateSerialPort('usb:0403:6001:C3', root), {
    code: 'not_found',
    where: 'usb:0403:6001:C3',
  });
  await t.rejects(locateSerialPort('usb:0403:6001:', root), { code: 'invalid_argument' });
  await t.rejects(locateSerialPort('usb:403:6001', root), { code: 'invalid_argument' });
  await t.rejects(locateSerialPort('usb:0403:6001', root), {
    code: 'conflict',
    message:
      /\/dev\/ttyUSB2 \(serial number A1\), \/dev\/ttyUSB10 \(serial number B2\); add the serial number/,
  });
});

t.test('the ids are looked up when a port is opened', async (t) => {
  await t.rejects(openSerial({ port: 'usb:ffff:fffe:none', baudRate: 9600 }), { code: 'not_found' });
});
