import t from 'tap';
import { REPLY_LIMITS, takeReply } from '../../../src/engine/redis/reply.js';

/** `depth` lists, one in the other. */
const nested = (depth: number): unknown => (depth === 0 ? null : [nested(depth - 1)]);

t.test('integers are numbers as far as these are exact', async (t) => {
  const integers: [string, unknown][] = [
    ['0', 0],
    ['-42', -42],
    ['9007199254740991', Number.MAX_SAFE_INTEGER],
    ['9007199254740993', '9007199254740993'],
    ['-9223372036854775808', '-9223372036854775808'],
  ];
  for (const [digits, expected] of integers) t.equal(takeReply(digits), expected, digits);
});

t.test('bytes stay, in memory of their own; an error in a list is a table', async (t) => {
  const received = Buffer.from('xxabc\0\xff', 'latin1');
  const taken = takeReply(received.subarray(2)) as Uint8Array;
  t.same(taken, Uint8Array.from([0x61, 0x62, 0x63, 0, 0xff]));
  t.equal(taken.buffer.byteLength, 5);
  t.same(takeReply([null, ['1', []], new Error('ERR x')]), [null, [1, []], { err: 'ERR x' }]);
});

t.test('replies are bounded', async (t) => {
  const { stringBytes, bytes, values, depth } = REPLY_LIMITS;
  const string = Buffer.alloc(stringBytes);
  const full = Array.from({ length: bytes / stringBytes }, () => string);
  const list = Array.from({ length: values }, () => '1');
  for (const allowed of [string, full, list, nested(depth)]) t.doesNotThrow(() => takeReply(allowed));
  const refused: [unknown, RegExp][] = [
    [Buffer.alloc(stringBytes + 1), /more than 1048576 bytes in a string/],
    [[...full, Buffer.alloc(1)], /more than 8388608 bytes$/],
    [[...list, '1'], /more than 100000 values/],
    [[list.slice(0, values / 2), list.slice(0, values / 2)], /more than 100000 values/],
    [nested(depth + 1), /more than 32 nested lists/],
  ];
  for (const [reply, message] of refused) t.throws(() => takeReply(reply), { code: 'too_large', message });
});
