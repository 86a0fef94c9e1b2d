import t from 'tap';
import { Tree } from '../boards/trees.js';
import { moonwire } from '../support/cli.js';

t.test('ports with their names and holders', async (t) => {
  const tree = new Tree(t).deviceTree({
    model: 'Raspberry Pi 4 Model B',
    compatible: ['raspberrypi,4-model-b'],
  });
  tree.uart('ttyAMA0', 'serial@7e201000').link('/dev/serial0', '/dev/ttyAMA0');
  tree.usb('ttyUSB0', '1-1.2', '0403', '6001', 'A1').process(712, 'mbpoll', '/dev/ttyUSB0');
  const { code, stdout, stderr } = await moonwire(['ports', '--root', tree.root]);
  t.equal(stderr, '');
  t.equal(code, 0);
  t.equal(
    stdout,
    [
      'Raspberry Pi 4 Model B and 400 (raspberry-pi-4)',
      '/dev/ttyAMA0',
      '  board name uart0, rs485-1',
      '  driver uart-pl011',
      '  /dev/serial0',
      '/dev/ttyUSB0',
      '  driver ftdi_sio',
      '  usb:0403:6001:A1 FTDI FT232R USB UART',
      '  /dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A1-if00-port0',
      '  /dev/serial/by-path/platform-usb-0:1-1.2:1.0-port0',
      '  held by mbpoll (712)',
      '',
    ].join('\n'),
  );
  const json = JSON.parse((await moonwire(['ports', '--json', '--root', tree.root])).stdout);
  t.equal(json.board, 'raspberry-pi-4');
  t.match(json.ports, [
    { path: '/dev/ttyAMA0', names: ['uart0', 'rs485-1'], node: 'serial@7e201000', holders: [] },
    {
      path: '/dev/ttyUSB0',
      usb: { vendor: '0403', serial: 'A1' },
      holders: [{ pid: 712, program: 'mbpoll' }],
    },
  ]);
});

t.test('a container with nothing in it', async (t) => {
  const { code, stdout } = await moonwire(['ports', '--root', new Tree(t).root]);
  t.match(stdout, /: no serial ports\n$/);
  t.equal(code, 0);
});

t.test('this machine', async (t) => {
  const { code, stdout } = await moonwire(['ports', '--json']);
  t.equal(code, 0);
  t.ok(Array.isArray(JSON.parse(stdout).ports));
});
