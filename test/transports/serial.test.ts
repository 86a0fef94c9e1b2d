import { readdirSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import t from 'tap';
import { openSerial } from '../../src/transports/serial.js';
import type { SerialDevice } from '../../src/transports/serialdevice.js';
import { missing } from '../support/need.js';
import { ptyPair } from '../support/pty.js';
import { contract, type MakePair } from './contract.js';
import { Recorder } from './recorder.js';

const skip = missing('socat', 'socat');

/** Pseudo terminals this process has open. */
function openTerminals(): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`);
      return target.startsWith('/dev/pts/') && Number(fd) > 2 ? [target] : [];
    } catch {
      return [];
    }
  });
}

t.test('contract', { skip }, async (t) => {
  const line = await ptyPair();
  t.teardown(() => line.remove());
  const makePair: MakePair = async () => [
    await openSerial({ port: line.a, baudRate: 115200 }),
    await openSerial({ port: line.b, baudRate: 115200 }),
  ];
  contract(t, 'serial', makePair, { peerSeesEnd: false, lossless: true });
});

t.test('a port without RTS and DTR opens all the same, and says so once', { skip }, async (t) => {
  const line = await ptyPair();
  t.teardown(() => line.remove());
  const notes: string[] = [];
  const note = (message: string) => void notes.push(message);
  const connection = await openSerial({ port: line.a, baudRate: 9600, rts: false, dtr: true }, note);
  t.teardown(() => connection.destroy());
  const peer = await openSerial({ port: line.b, baudRate: 9600 }, note);
  t.teardown(() => peer.destroy());
  const received = new Recorder(peer);
  connection.write(Buffer.from('hello'));
  t.equal(await received.text(5), 'hello');
  t.match(notes, [`${line.a} does not take levels of RTS and DTR: `]);
  t.equal(notes.length, 1);
});

t.test('a port that vanishes ends the connection and gives its descriptor back', { skip }, async (t) => {
  const line = await ptyPair();
  t.teardown(() => line.remove());
  const before = openTerminals();
  for (const state of ['idle', 'writing', 'paused']) {
    const connection = await openSerial({ port: line.a, baudRate: 9600 });
    const recorder = new Recorder(connection);
    t.equal(openTerminals().length, before.length + 1);
    if (state === 'paused') connection.pause();
    // More than the line holds, so that a write is under way when the plug is pulled.
    if (state === 'writing') connection.write(Buffer.alloc(1024 * 1024));
    await setTimeout(30);
    await line.unplug();
    const error = await recorder.closed();
    t.match(error, { code: 'not_connected', where: line.a, message: `${line.a} is gone` }, state);
    t.strictSame(openTerminals(), before, `${state}: the descriptor is closed`);
    t.equal(connection.pendingBytes, 0);
    connection.write(Buffer.from('late'));
    connection.end();
    connection.destroy();
    await setTimeout(20);
    t.equal(recorder.closes.length, 1, `${state}: told once`);
    await line.plug();
  }
  const again = await openSerial({ port: line.a, baudRate: 9600 });
  const other = await openSerial({ port: line.b, baudRate: 9600 });
  const recorder = new Recorder(other);
  new Recorder(again);
  again.write(Buffer.from('back'));
  t.equal(await recorder.text(4), 'back', 'the same path works again');
  for (const connection of [again, other]) connection.destroy();
});

t.test('why a port cannot be opened', { skip }, async (t) => {
  const line = await ptyPair();
  t.teardown(() => line.remove());
  const before = openTerminals();

  const holder = await openSerial({ port: line.a, baudRate: 9600 });
  const alias = `${line.a}-alias`;
  symlinkSync(line.a, alias);
  await t.rejects(openSerial({ port: alias, baudRate: 9600 }), {
    code: 'conflict',
    where: alias,
    message: `${alias} is in use by another program or link`,
  });
  holder.destroy();
  await new Recorder(holder).closed();

  const nowhere = join(line.a, '..', 'nowhere');
  await t.rejects(openSerial({ port: nowhere, baudRate: 9600 }), {
    code: 'not_found',
    message: `${nowhere} is not there`,
  });

  const file = `${line.a}.txt`;
  writeFileSync(file, '');
  await t.rejects(openSerial({ port: file, baudRate: 9600 }), {
    code: 'invalid_argument',
    message: `${file} is not a serial port`,
  });
  await t.rejects(openSerial({ port: line.a, baudRate: -1 }), { code: 'invalid_argument' });
  for (const path of [alias, file]) rmSync(path);
  t.strictSame(openTerminals(), before, 'no failed attempt keeps a descriptor');
});

/** Hardware whose operations never come back, as with a driver that lost its device. */
function stuckDevice(changes: Partial<SerialDevice> = {}): SerialDevice {
  const never = new Promise<never>(() => {});
  return {
    read: () => never,
    write: () => never,
    present: async () => true,
    close: async () => {},
    ...changes,
  };
}

t.test('hardware that stopped answering is told by its node', async (t) => {
  let closed = 0;
  const device = stuckDevice({
    present: async () => false,
    close: async () => {
      closed++;
    },
  });
  const connection = await openSerial({ port: '/dev/gone', baudRate: 9600 }, undefined, async () => device);
  const recorder = new Recorder(connection);
  connection.write(Buffer.from('x'));
  t.match(await recorder.closed(), { code: 'not_connected', message: /its device node vanished/ });
  t.equal(closed, 1);
});

t.test('hardware that cannot even be closed', async (t) => {
  const device = stuckDevice({ close: () => Promise.reject(new Error('bad file descriptor')) });
  const connection = await openSerial({ port: '/dev/bad', baudRate: 9600 }, undefined, async () => device);
  const recorder = new Recorder(connection);
  connection.destroy();
  t.match(await recorder.closed(), { message: /bad file descriptor/ });
  t.equal(recorder.closes.length, 1);
});

t.test('a long write shrinks steadily, and goes out in order', async (t) => {
  const parts: Buffer[] = [];
  const pending: number[] = [];
  const device = stuckDevice({
    write: async (bytes) => {
      parts.push(Buffer.from(bytes));
      pending.push(connection.pendingBytes);
    },
  });
  const connection = await openSerial({ port: '/dev/slow', baudRate: 300 }, undefined, async () => device);
  const recorder = new Recorder(connection);
  const sent = Buffer.from(Array.from({ length: 5000 }, (_, i) => i % 251));
  for (let at = 0; at < sent.length; at += 7) connection.write(sent.subarray(at, at + 7));
  await recorder.until((r) => r.drains === 1);
  t.ok(Buffer.concat(parts).equals(sent));
  t.strictSame(pending, [5000, 4488, 3976, 3464, 2952, 2440, 1928, 1416, 904, 392]);
  t.equal(connection.pendingBytes, 0);
  connection.destroy();
  await recorder.closed();
});
