import { execFileSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import t from 'tap';
import { openSerialDevice, serialError } from '../../src/transports/serialdevice.js';
import { missing } from '../support/need.js';
import { ptyPair } from '../support/pty.js';

t.test('what the driver says becomes one clear sentence under a stable code', async (t) => {
  const path = '/dev/null';
  const codeOf = async (text: string): Promise<string> => (await serialError(new Error(text), path)).code;
  t.equal(await codeOf('Error: No such file or directory, cannot open /dev/x'), 'not_found');
  t.equal(await codeOf('Error: No such device or address, cannot open /dev/x'), 'not_found');
  t.equal(await codeOf('Error: Device or resource busy, cannot open /dev/x'), 'conflict');
  t.equal(await codeOf('Error Resource temporarily unavailable Cannot lock port'), 'conflict');
  t.equal(
    await codeOf('Error: Inappropriate ioctl for device setting custom baud rate of 13'),
    'invalid_argument',
  );
  t.equal(await codeOf('Invalid stop bits setting 9'), 'invalid_argument');
  t.equal(await codeOf('Error: Input/output error, cannot open /dev/x'), 'not_connected');
});

t.test('without permission the group to join is named', async (t) => {
  const error = await serialError(new Error('Error: Permission denied, cannot open /dev/tty'), '/dev/tty');
  t.equal(error.code, 'forbidden');
  t.equal(error.where, '/dev/tty');
  t.match(error.message, statSync('/dev/tty').gid === 5 ? 'usermod -aG tty $USER' : /belongs to group \w+/);
  const gone = await serialError(new Error('Permission denied'), '/dev/not-there');
  t.equal(gone.message, '/dev/not-there may not be opened by this user');
});

t.test('a port keeps its lines when it is closed', { skip: missing('socat', 'socat') }, async (t) => {
  const line = await ptyPair();
  t.teardown(() => line.remove());
  // The settings of a pseudo terminal last as long as it is open somewhere.
  const held = await open(line.a, 'r+');
  t.teardown(() => held.close());
  const stty = (...args: string[]): string =>
    execFileSync('stty', ['-F', line.a, ...args], { encoding: 'utf8' });
  stty('hupcl');
  t.match(stty('-a'), / hupcl/);
  const device = await openSerialDevice(line.a, { baudRate: 9600 }, (note) => t.fail(note));
  await device.close();
  t.match(stty('-a'), / -hupcl/);
});
