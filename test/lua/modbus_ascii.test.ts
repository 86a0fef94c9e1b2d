import t from 'tap';
import { splits, unhex } from '../support/framing.js';
import { ProtocolUnderTest } from '../support/protocol.js';
import { random } from '../support/random.js';
import { mutate, vectors } from '../support/vectors.js';

interface Vector {
  name: string;
  type: string;
  transport?: string;
  direction?: 'request' | 'response' | 'stream';
  ascii?: string;
  hex?: string;
  stream_hex?: string;
  expect: {
    stated?: { pdu_hex?: string; frames_pdu_hex?: string[] };
    computed?: Record<string, unknown>;
  };
}

const all = vectors<Vector>('modbus').filter(({ transport }) => transport === 'ascii');
const client = new ProtocolUnderTest('protocols.modbus_ascii');
const server = new ProtocolUnderTest('protocols.modbus_ascii', 'server', client.vm);
const monitor = new ProtocolUnderTest('protocols.modbus_ascii', 'monitor', client.vm);
const sides = { request: server, response: client, stream: server };

const lrc = (bytes: Uint8Array) => -bytes.reduce((sum, byte) => sum + byte, 0) & 0xff;
const frameOf = (hex: string) => {
  const bytes = unhex(hex);
  return Buffer.from(
    `:${Buffer.concat([bytes, Uint8Array.of(lrc(bytes))])
      .toString('hex')
      .toUpperCase()}\r\n`,
  );
};
const outcome = (messages: unknown[]) => ({ messages, discarded: 0, errors: [] });

t.test('every frame decodes to its fields, however it is cut', async (t) => {
  const rng = random(t);
  for (const { name, hex, direction, expect } of all) {
    if (!hex) continue;
    const { function: function_code, count, registers: values, ...fields } = expect.computed!;
    const quantity = direction === 'request' ? { quantity: count } : {};
    for (const chunks of splits(unhex(hex), rng)) {
      const wanted = { function_code, ...(values ? { values } : {}), ...quantity, ...fields };
      t.match(sides[direction!].feed(chunks), outcome([wanted]), name);
    }
  }
  t.equal(all.length, 8);
});

t.test('streams', async (t) => {
  for (const { name, stream_hex, expect } of all) {
    if (!stream_hex) continue;
    const { messages, errors, discarded } = server.feed([unhex(stream_hex)]);
    t.equal(messages.length, expect.stated!.frames_pdu_hex!.length, name);
    t.match(messages[0], { unit: 0, function_code: 3, address: 124, quantity: 2 });
    t.strictSame([errors, discarded], [[], name.includes('garbage') ? 3 : 0]);
  }
});

t.test('what is encoded is the bytes of the vectors', async (t) => {
  const request = '{ unit = 247, function_code = 3, address = 5001, quantity = 10 }';
  t.equal(unhex(client.peer().encode(request)).toString(), ':F7031389000A60\r\n');
  const peer = server.peer();
  peer.feed([frameOf('1103006b0002')]);
  t.equal(unhex(peer.encode('{ values = { 141, 142 } }')).toString(), ':110304008D008ECD\r\n');
  t.equal(unhex(peer.encode('{ exception = 2 }')).toString(), ':1183026A\r\n');
  t.match(client.peer().encode('{ unit = 248, function_code = 7 }'), /unit must be .* 0 to 247/);
});

t.test('a broadcast is not answered', async (t) => {
  const peer = server.peer();
  t.match(peer.feed([frameOf('00060001000a')]).messages, [{ unit: 0, value: 10 }]);
  t.equal(peer.encode('{}'), 'a broadcast is not answered');
});

t.test('the monitor reads both directions', async (t) => {
  t.match(monitor.feed([frameOf('1103006b0002'), frameOf('110304008d008e')]).messages, [
    { type: 'request', address: 107, quantity: 2 },
    { type: 'response', values: [141, 142] },
  ]);
});

t.test('a response answers its request', async (t) => {
  const peer = client.peer();
  peer.encode('{ unit = 17, function_code = 3, address = 107, quantity = 2 }');
  t.match(peer.feed([frameOf('110304008d008e')]).messages, [{ address: 107, values: [141, 142] }]);
});

t.test('a wrong LRC, a colon in the middle, digits that are none', async (t) => {
  const rng = random(t);
  const good = frameOf('1103006b0002');
  const bad = Buffer.from(good);
  bad[4]! ^= 1;
  for (const chunks of splits(Buffer.concat([good, bad, good]), rng)) {
    const { messages, errors } = server.feed(chunks);
    t.equal(messages.length, 2);
    t.strictSame(errors, ['LRC error']);
  }
  const cut = good.subarray(0, 9);
  t.equal(server.feed([cut, good]).messages.length, 1, 'a colon begins a frame at any time');
  t.equal(server.feed([good.subarray(0, -2), null]).messages.length, 1, 'the end of line is missing');
  t.match(server.feed([cut, null]), { messages: [], errors: ['LRC error'] });
  t.equal(server.feed([Buffer.from(good.toString().toLowerCase())]).messages.length, 1, 'small letters');
  for (const text of [':', ':1', ':112', ':11ee', ':11g30000'])
    t.match(server.feed([Buffer.from(`${text}\r\n`)]).errors, [/digits/], text);
  const long = Buffer.from(`:${'0'.repeat(600)}`);
  t.match(server.feed([long, good]), { messages: [{ unit: 17 }], discarded: long.length });
});

t.test('mutated frames never raise', async (t) => {
  const rng = random(t);
  const frames = all.flatMap(({ hex }) => (hex ? [unhex(hex)] : []));
  const until = Date.now() + 1000;
  let tried = 0;
  for (; Date.now() < until; tried++) {
    const bytes = mutate(rng.pick(frames), rng);
    for (const side of [client, server, monitor]) {
      side.feed([bytes, null]);
      side.peer().decode(frameOf(Buffer.from(bytes.subarray(0, 20)).toString('hex')));
    }
  }
  t.comment(`${tried} frames`);
  t.ok(tried > 0);
});
