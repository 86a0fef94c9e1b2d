import t from 'tap';
import { blockingSeconds, checkCommand } from '../../../src/engine/redis/commands.js';

const args = (line: string) => line.split(' ').map((word) => Buffer.from(word));

t.test('how long a command waits itself', async (t) => {
  const seconds: [string, number][] = [
    ['GET x', 0],
    ['blpop a b 5', 5],
    ['BLPOP a 0', Number.POSITIVE_INFINITY],
    ['BRPOPLPUSH a b 0.5', 0.5],
    ['BLMPOP 3 1 a LEFT', 3],
    ['BZMPOP 0 1 a MIN', Number.POSITIVE_INFINITY],
    ['WAIT 1 2000', 2],
    ['XREAD COUNT 1 BLOCK 5000 STREAMS s $', 5],
    ['XREADGROUP GROUP g c block 0 STREAMS s >', Number.POSITIVE_INFINITY],
    ['XREAD STREAMS s 0', 0],
    ['BLPOP a soon', 0],
    ['BLPOP a -1', 0],
    ['BLPOP', 0],
    ['XREAD BLOCK', 0],
  ];
  for (const [line, expected] of seconds) t.equal(blockingSeconds(args(line)), expected, line);
});

t.test('commands about one connection are refused', async (t) => {
  for (const line of [
    'SUBSCRIBE x',
    'multi',
    'Watch k',
    'AUTH x',
    'HELLO 3',
    'CLIENT REPLY OFF',
    'client tracking on',
  ]) {
    t.throws(() => checkCommand(args(line)), { code: 'invalid_argument' }, line);
  }
  for (const line of ['PUBLISH x y', 'CLIENT LIST', 'GET multi', 'CLIENT']) {
    t.doesNotThrow(() => checkCommand(args(line)), line);
  }
});
