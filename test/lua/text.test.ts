import { readFileSync } from 'node:fs';
import t from 'tap';
import type { LuaRef } from '../../src/script/executor.js';
import { Device, startTestEngine } from '../support/engine.js';
import { splits, unhex } from '../support/framing.js';
import { offlineVm, ProtocolUnderTest } from '../support/protocol.js';
import { random } from '../support/random.js';

const line = new ProtocolUnderTest('protocols.line');
const text = new ProtocolUnderTest('protocols.text', undefined, line.vm);
const length = new ProtocolUnderTest('protocols.length', undefined, line.vm);
const bytes = (string: string) => Buffer.from(string, 'latin1');

t.test('lines', async (t) => {
  const rng = random(t);
  for (const chunks of splits(bytes('one\r\n\ntwo\n\r\nhalf'), rng)) {
    const { messages } = line.feed(chunks);
    t.strictSame(messages, [
      { type: 'line', text: 'one' },
      { type: 'line', text: 'two' },
    ]);
  }
  t.match(line.peer().decode(bytes('a=1\nb=2')).messages, [{ text: 'a=1' }, { text: 'b=2' }], 'a datagram');
  t.strictSame(line.peer().decode(bytes('\r\n')).messages, []);
  t.equal(line.peer().encode('{ type = "line", text = "on" }'), bytes('on\r\n').toString('hex'));
  t.equal(line.peer().encode('"on\\r\\n"'), bytes('on\r\n').toString('hex'));
  t.equal(line.peer().encode('{ type = "line" }'), 'a line needs its text');
});

t.test('text messages', async (t) => {
  t.strictSame(text.feed([bytes('one\nt'), bytes('wo\r\n')]).messages, ['one', 'two']);
  t.equal(text.peer().encode('"on"'), bytes('on\n').toString('hex'));
  t.equal(text.peer().encode('"a\\nb"'), 'a text message holds no line end');
  t.equal(text.peer().encode('{}'), 'a text message is a string, not a table');
});

t.test('scripts of CONNMIX frame by text and jsonrpc', async (t) => {
  const names = ['text', 'jsonrpc'];
  const engine = await startTestEngine(
    Object.fromEntries(
      names.flatMap((name) => [
        [`protocols/${name}.lua`, readFileSync(`lua/protocols/${name}.lua`, 'utf8')],
        [
          `${name}.lua`,
          `local protocol = require("protocols/${name}")
           function protocol_input(buf, conn) return protocol.input(buf) end
           function protocol_decode(str, conn) return protocol.decode(str, conn) end
           function protocol_encode(str, conn) return protocol.encode(str) end
           function on_message(data, conn)
             if type(data) == "string" then return mix.mesh.send(conn:client_id(), data:upper()) end
             mix.mesh.send(conn:client_id(), '{"pushed":true}')
             conn:send(protocol.encode_table({ id = data["id"], result = data["params"][1] }))
           end`,
        ],
      ]),
    ),
    `servers: [${names.map((name) => `{ name: ${name}, port: 0, bind: 127.0.0.1, entry: ${name}.lua }`)}]`,
  );
  t.teardown(() => engine.stop());
  const [plain, rpc] = [await Device.connect(engine.port(0)), await Device.connect(engine.port(1))];
  plain.send('hel');
  plain.send('lo\nyou\n');
  rpc.send('{"jsonrpc":"2.0","method":"echo","params":[42],"id":7}\n');
  t.equal(await plain.until((got) => got.split('\n').length === 3), 'HELLO\nYOU\n');
  t.equal(
    await rpc.until((got) => got.split('\n').length === 3),
    '{"pushed":true}\n{"jsonrpc":"2.0","result":42,"id":7}\n',
  );
  for (const device of [plain, rpc]) device.socket.destroy();
});

t.test('length-prefixed frames', async (t) => {
  const rng = random(t);
  for (const chunks of splits(unhex('00000002aabb0000000000000001cc'), rng)) {
    const { messages, errors } = length.feed(chunks);
    t.strictSame(
      messages.map(({ data }) => Buffer.from(data as Uint8Array).toString('hex')),
      ['aabb', '', 'cc'],
    );
    t.strictSame(errors, []);
  }
  t.equal(length.peer().encode('{ type = "data", data = "ab" }'), '000000026162');
  t.equal(length.peer().encode('7'), 'a frame needs its data');
  t.strictSame(length.peer().decode(unhex('0000000261')).errors, ['the length does not match the frame']);

  const made = (options: string) => {
    const vm = offlineVm();
    const [module] = vm.execute(`return require("protocols.length").new ${options}`, '@test');
    return new ProtocolUnderTest(module as LuaRef, undefined, vm);
  };
  const little = made('{ size = 2, endian = "little", inclusive = true }');
  t.equal(little.peer().encode('"abc"'), '0500616263');
  t.equal(little.peer().encode('""'), '0200');
  t.match(little.feed([unhex('05006162630200')]).messages, [{ data: 'abc' }, { data: '' }]);
  const tiny = made('{ size = 1, max = 10 }');
  t.equal(tiny.peer().encode('("x"):rep(256)'), '256 bytes do not fit: at most 255');
  t.match(tiny.feed([unhex('0a'.repeat(11))]).reasons[0], 'oversize');
  t.throws(() => made('{ size = 5 }'), { message: /size/ });
});
