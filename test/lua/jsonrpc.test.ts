import t from 'tap';
import { abuseProtocol } from '../support/abuse.js';
import { splits, unhex } from '../support/framing.js';
import { ProtocolUnderTest } from '../support/protocol.js';
import { random } from '../support/random.js';

const jsonrpc = new ProtocolUnderTest('protocols.jsonrpc');
const text = (digits: string) => unhex(digits).toString();
const encode = (source: string) => {
  const result = jsonrpc.peer().encode(source);
  return /^([0-9a-f]{2})+$/.test(result) ? text(result) : result;
};
/** The examples of the specification, section 7, and what they are. */
const LINES: [line: string, messages: object[]][] = [
  [
    '{"jsonrpc": "2.0", "method": "subtract", "params": [42, 23], "id": 1}',
    [{ type: 'request', method: 'subtract', params: [42, 23], id: 1 }],
  ],
  ['{"jsonrpc": "2.0", "result": 19, "id": "a"}', [{ type: 'response', result: 19, id: 'a' }]],
  [
    '{"jsonrpc": "2.0", "method": "update", "params": {"x": 1}}',
    [{ type: 'notification', method: 'update', params: { x: 1 } }],
  ],
  [
    '{"jsonrpc": "2.0", "error": {"code": -32601, "message": "Method not found"}, "id": "1"}',
    [{ type: 'response', error: { code: -32601, message: 'Method not found' }, id: '1' }],
  ],
  ['{"jsonrpc": "2.0", "method": 1, "params": "bar"}', [{ type: 'invalid' }]],
  ['{"foo": "boo"}', [{ type: 'invalid' }]],
  ['[]', [{ type: 'invalid' }]],
  [
    '[1, {"jsonrpc": "2.0", "method": "get", "id": 9}]',
    [{ type: 'invalid' }, { type: 'request', method: 'get', id: 9 }],
  ],
];

t.test('calls, answers and batches', async (t) => {
  const rng = random(t);
  const stream = Buffer.from(`${LINES.map(([line]) => line).join('\r\n')}\r\n\r\n`);
  for (const chunks of splits(stream, rng)) {
    const { messages, errors, replies } = jsonrpc.feed(chunks);
    t.strictSame(
      messages,
      LINES.flatMap(([, expected]) => expected),
    );
    t.strictSame(errors, []);
    const invalid = '{"jsonrpc":"2.0","error":{"code":-32600,"message":"Invalid Request"},"id":null}';
    t.match(
      replies.map(text).map((line) => JSON.parse(line)),
      [JSON.parse(invalid), JSON.parse(invalid), JSON.parse(invalid), [JSON.parse(invalid)]],
    );
  }
  t.match(jsonrpc.feed([Buffer.from('{"jsonrpc"\n')]).errors, [/decode_error/]);
  t.match(jsonrpc.feed([Buffer.from(`[${'1,'.repeat(1000)}1]\n`)]).errors, [/batch of more than 1000/]);
  abuseProtocol(
    t,
    jsonrpc,
    LINES.map(([line]) => Buffer.from(`${line}\n`)),
  );
});

t.test('encode', async (t) => {
  t.equal(
    encode('{ method = "a", params = { 1 }, id = 7 }'),
    '{"jsonrpc":"2.0","method":"a","params":[1],"id":7}\n',
  );
  t.equal(encode('{ method = "a" }'), '{"jsonrpc":"2.0","method":"a"}\n');
  t.equal(encode('{ id = "x" }'), '{"jsonrpc":"2.0","result":null,"id":"x"}\n');
  t.equal(encode('{ id = 1, result = false }'), '{"jsonrpc":"2.0","result":false,"id":1}\n');
  t.equal(
    encode('{ { id = 1, result = 2 }, { error = { code = 1, message = "m" } } }'),
    '[{"jsonrpc":"2.0","result":2,"id":1},{"jsonrpc":"2.0","error":{"code":1,"message":"m"},"id":null}]\n',
  );
  t.equal(encode('[[{"jsonrpc":"2.0"}]]'), '{"jsonrpc":"2.0"}\n');
  t.equal(encode('"{\\n}"'), 'a text holds no line end');
  t.match(encode('7'), /a message is a table/);
  t.match(encode('{ method = 7 }'), /method must be a string/);
  t.match(encode('{ id = {}, result = 1 }'), /id must be/);
  t.match(encode('{ id = 1, result = function() end }'), /result: /);
});
