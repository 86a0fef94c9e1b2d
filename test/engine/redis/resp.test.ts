import t from 'tap';
import { encodeCommand, RedisError, type Reply, ReplyReader } from '../../../src/engine/redis/resp.js';
import { splits } from '../../support/framing.js';
import { type Random, random } from '../../support/random.js';

function read(chunks: readonly Uint8Array[], reader = new ReplyReader()): Reply[] {
  const replies: Reply[] = [];
  for (const chunk of chunks) {
    reader.push(chunk);
    for (let reply = reader.next(); reply !== undefined; reply = reader.next()) replies.push(reply);
  }
  return replies;
}

const bytes = (text: string) => Buffer.from(text, 'latin1');

/** Bytes as one-byte strings and errors as objects, for comparing. */
function shown(reply: Reply): unknown {
  if (Array.isArray(reply)) return reply.map(shown);
  if (reply instanceof Uint8Array) return Buffer.from(reply).toString('latin1');
  return reply instanceof RedisError ? { error: reply.message } : reply;
}

t.test('each kind of reply', async (t) => {
  const kinds: [string, unknown][] = [
    ['+OK\r\n', 'OK'],
    ['+\r\n', ''],
    ['-ERR no "\u00c3\u00a9"\r\n', { error: 'ERR no "é"' }],
    [':0\r\n', 0],
    [':-42\r\n', -42],
    [':9007199254740991\r\n', Number.MAX_SAFE_INTEGER],
    [':9007199254740993\r\n', '9007199254740993'],
    [':-9223372036854775808\r\n', '-9223372036854775808'],
    ['$0\r\n\r\n', ''],
    ['$4\r\n\r\n\0\xff\r\n', '\r\n\0\xff'],
    ['$-1\r\n', null],
    ['*-1\r\n', null],
    ['*0\r\n', []],
    ['*3\r\n:1\r\n$-1\r\n*2\r\n*0\r\n-ERR x\r\n', [1, null, [[], { error: 'ERR x' }]]],
  ];
  for (const [wire, expected] of kinds) t.same(read([bytes(wire)]).map(shown), [expected], wire);
});

function randomReply(rng: Random, depth = 0): [wire: string, reply: unknown] {
  const kind = rng.below(depth < 4 ? 6 : 5);
  const text = Buffer.from(rng.bytes(rng.below(40))).toString('latin1');
  const number = rng.below(1e9);
  if (kind === 0) return [`:${number}\r\n`, number];
  if (kind === 1) return ['$-1\r\n', null];
  if (kind < 5) return [`$${text.length}\r\n${text}\r\n`, text];
  const items = Array.from({ length: rng.below(5) }, () => randomReply(rng, depth + 1));
  return [`*${items.length}\r\n${items.map(([wire]) => wire).join('')}`, items.map(([, reply]) => reply)];
}

t.test('replies do not depend on how their bytes are cut', async (t) => {
  const rng = random(t);
  for (let round = 0; round < 100; round++) {
    const replies = Array.from({ length: 1 + rng.below(4) }, () => randomReply(rng));
    const stream = bytes(replies.map(([wire]) => wire).join(''));
    const expected = replies.map(([, reply]) => reply);
    for (const chunks of splits(stream, rng)) {
      if (!t.same(read(chunks).map(shown), expected, { diagnostic: false })) return;
    }
  }
});

t.test('what is no reply, or too large a one, is refused before it is held', async (t) => {
  const refused: [string, string][] = [
    ['HTTP/1.1 400 Bad Request\r\n', 'decode_error'],
    ['\r\n', 'decode_error'],
    ['+OK\n', 'decode_error'],
    [':\r\n', 'decode_error'],
    [':1.5\r\n', 'decode_error'],
    ['$-2\r\n', 'decode_error'],
    ['$1x\r\n', 'decode_error'],
    ['*99999999999\r\n', 'decode_error'],
    ['$1048577\r\n', 'too_large'],
    ['*100001\r\n', 'too_large'],
    ['*60000\r\n*60000\r\n', 'too_large'],
    ['*1\r\n'.repeat(33), 'too_large'],
    [`+${'x'.repeat(20_000)}`, 'too_large'],
    [`*9\r\n${`$1048576\r\n${'x'.repeat(1_048_576)}\r\n`.repeat(8)}$1\r\n`, 'too_large'],
  ];
  for (const [wire, code] of refused) {
    t.throws(
      () => read([bytes(wire)]),
      { code },
      `${JSON.stringify(wire.slice(0, 30))} ${wire.length} bytes`,
    );
  }
  const [list] = read([bytes(`*8\r\n${`$1048576\r\n${'x'.repeat(1_048_576)}\r\n`.repeat(8)}`)]);
  t.equal((list as Reply[]).length, 8, 'the largest reply');
  const reader = new ReplyReader();
  for (let i = 0; i < 3; i++)
    t.equal(read([bytes(`*90000\r\n${':1\r\n'.repeat(90_000)}`)], reader).length, 1);
});

t.test('a command is a list of strings of any bytes', async (t) => {
  const command = encodeCommand([bytes('SET'), bytes(''), bytes('\0\r\n\xff')]);
  t.equal(Buffer.from(command).toString('latin1'), '*3\r\n$3\r\nSET\r\n$0\r\n\r\n$4\r\n\0\r\n\xff\r\n');
});
