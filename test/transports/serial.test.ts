import t from 'tap';
import { openSerial } from '../../src/transports/serial.js';
import { missing } from '../support/need.js';
import { ptyPair } from '../support/pty.js';
import { contract, type MakePair } from './contract.js';

const skip = missing('socat', 'socat');

t.test('contract', { skip }, async (t) => {
  const line = await ptyPair();
  t.teardown(() => line.remove());
  const makePair: MakePair = async () => [
    await openSerial({ port: line.a, baudRate: 115200 }),
    await openSerial({ port: line.b, baudRate: 115200 }),
  ];
  contract(t, 'serial', makePair, { peerSeesEnd: false, lossless: true });
});
