import { statSync } from 'node:fs';
import t from 'tap';
import { findHolders } from '../../src/boards/holders.js';
import { Machine } from '../../src/boards/machine.js';
import { missing } from '../support/need.js';
import { ptyPair } from '../support/pty.js';
import { Tree } from './trees.js';

t.test('a process that has a port open, and one that only its lock tells of', async (t) => {
  const tree = new Tree(t).file('/dev/ttyUSB0').file('/dev/ttyS1').file('/dev/ttyS2');
  const { dev, ino } = statSync(`${tree.root}/dev/ttyS1`);
  const [major, minor] = [(dev >> 8) & 0xfff, (dev & 0xff) | ((dev >> 12) & 0xfff00)];
  const device = [major, minor].map((part) => part.toString(16).padStart(2, '0')).join(':');
  tree.process(712, 'mbpoll', '/dev/null', '/dev/ttyUSB0', '/dev/ttyUSB0').file('/proc/900/comm', 'gpsd\n');
  tree.file(
    '/proc/locks',
    [
      `1: FLOCK  ADVISORY  WRITE 900 ${device}:${ino} 0 EOF`,
      `2: FLOCK  ADVISORY  WRITE 0 ${device}:${ino} 0 EOF`,
      `3: POSIX  ADVISORY  READ  901 ${device}:${ino + 7777} 0 EOF`,
      '',
    ].join('\n'),
  );
  const holders = findHolders(['/dev/ttyUSB0', '/dev/ttyS1', '/dev/ttyS2'], new Machine({ root: tree.root }));
  t.same(
    [...holders],
    [
      ['/dev/ttyUSB0', [{ pid: 712, program: 'mbpoll' }]],
      ['/dev/ttyS1', [{ pid: 900, program: 'gpsd' }]],
      ['/dev/ttyS2', []],
    ],
  );
});

t.test('where there is no /proc nobody is known', async (t) => {
  t.same([...findHolders(['/dev/ttyS0'], new Machine({ root: new Tree(t).root }))], [['/dev/ttyS0', []]]);
});

t.test('this process is seen to hold a real port', { skip: missing('socat', 'socat') }, async (t) => {
  const line = await ptyPair();
  const { realpath, open } = await import('node:fs/promises');
  const path = await realpath(line.a);
  const file = await open(path, 'r+');
  try {
    t.match(findHolders([path], new Machine()).get(path)!, [{ pid: process.pid }]);
  } finally {
    await file.close();
    await line.remove();
  }
});
