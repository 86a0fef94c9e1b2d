import { once } from 'node:events';
import { createServer } from 'node:net';
import t, { type Test } from 'tap';
import { crc } from '../../src/bytes/crc.js';
import { Commands, type Outcome } from '../../src/engine/commands.js';
import { MemoryKeyValue } from '../../src/store/keyvalue.js';
import { Device, startTestEngine, type TestEngine, until } from '../support/engine.js';
import { unhex } from '../support/framing.js';
import { library } from '../support/library.js';
import { ProtocolUnderTest } from '../support/protocol.js';

async function start(t: Test, engineYaml: string): Promise<TestEngine> {
  const running = await startTestEngine(library, engineYaml);
  t.teardown(() => running.stop());
  return running;
}

/** Commands a device; resolves with what became of it. */
async function command(engine: TestEngine, device: string, name: string, params?: unknown): Promise<Outcome> {
  const commands = new Commands(engine.engine, new MemoryKeyValue());
  let outcome: Outcome | undefined;
  commands.onoutcome = (told) => {
    outcome = told;
  };
  await commands.run({ id: 'c', device, name, params, expires: 2e9 });
  return outcome!;
}

t.test('entry.modbus_template: a point is written and read back', async (t) => {
  const registers = new Map([[0x103, 0]]);
  let stubborn = false;
  const server = createServer((socket) => {
    const peer = new ProtocolUnderTest('protocols.modbus_tcp', 'server').peer();
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      for (const message of peer.feed([bytes]).messages as Record<string, number>[]) {
        const { function_code: code, address, value } = message;
        if (code === 6 && !stubborn) registers.set(address!, value!);
        const read = `{ values = { ${registers.get(address!) ?? 0} } }`;
        const echo = `{ address = ${address}, value = ${value} }`;
        socket.write(unhex(peer.encode(code === 6 ? echo : code === 3 ? read : '{ values = { 1, 2 } }')));
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as { port: number };
  const engine = await start(
    t,
    `links:
  - name: line
    tcp: { host: 127.0.0.1, port: ${port} }
    entry: entry.modbus_template.lua
    options: { template: xy_md02, framing: tcp, units: "1", period: 60 }`,
  );
  await until(() => engine.engine.devices.has('xy_md02-1'));
  const write = (point: string, value: unknown) => command(engine, 'xy_md02-1', 'write', { point, value });
  t.match(await write('temperature_correction', 2.5), {
    state: 'done',
    result: { temperature_correction: 2.5 },
  });
  t.equal(registers.get(0x103), 25);
  stubborn = true;
  t.match(await write('temperature_correction', 1), { state: 'failed', error: /^conflict: .* reads back/ });
  t.match(await write('humidity', 1), { state: 'failed', error: /^invalid_argument: humidity cannot be/ });
  t.match(await write('none', 1), { state: 'failed', error: /^not_found/ });
  t.match(await command(engine, 'xy_md02-1', 'write'), { state: 'failed', error: /needs/ });
  t.match(await command(engine, 'xy_md02-1', 'dance'), { state: 'failed', error: /^invalid_argument/ });
});

/** A GT06 frame of the short form. */
function gt06(number: number, body: Buffer, serial: number): Buffer {
  const checked = Buffer.concat([
    Buffer.from([body.length + 5, number]),
    body,
    Buffer.from([serial >> 8, serial & 0xff, 0, 0]),
  ]);
  const sum = Number(crc('CRC-16/X-25').compute(checked.subarray(0, -2)));
  checked.writeUInt16BE(sum, checked.length - 2);
  return Buffer.concat([Buffer.from('xx'), checked, Buffer.from('\r\n')]);
}

t.test('entry.gt06: a tracker is told in words, and its answer is the result', async (t) => {
  const engine = await start(t, 'servers: [{ name: s, port: 0, bind: 127.0.0.1, entry: entry.gt06.lua }]');
  const device = await Device.connect(engine.port());
  const imei = '353419036066061';
  device.send(gt06(1, unhex(`0${imei}`), 1));
  // The login is acknowledged after it was handled.
  await until(() => device.received.length > 0);
  device.received = Buffer.alloc(0);
  const told = async (): Promise<{ text: string; flag: Buffer }> => {
    await until(() => device.received.includes('\r\n'));
    const frame = device.received;
    device.received = Buffer.alloc(0);
    return { text: frame.toString('latin1', 9, frame.length - 6), flag: frame.subarray(5, 9) };
  };
  const answer = (flag: Buffer, text: string): void => {
    const content = Buffer.concat([
      Buffer.from([text.length + 4]),
      flag,
      Buffer.from(text),
      Buffer.from([0, 2]),
    ]);
    device.send(gt06(0x15, content, 7));
  };

  const stopping = command(engine, imei, 'engine_stop');
  const stop = await told();
  t.equal(stop.text, 'DYD,000000#');
  const asking = command(engine, imei, 'text', { text: 'STATUS#' });
  const ask = await told();
  t.equal(ask.text, 'STATUS#');
  // The other way round: each command gets its own answer.
  answer(ask.flag, 'Battery:4.1V');
  t.match(await asking, { state: 'done', result: { text: 'Battery:4.1V' } });
  answer(stop.flag, 'DYD=Success!');
  t.match(await stopping, { state: 'done', result: { text: 'DYD=Success!' } });

  t.match(await command(engine, imei, 'fly'), { state: 'failed', error: /^invalid_argument/ });
  t.match(await command(engine, imei, 'text', { text: 7 }), { state: 'failed', error: /text must have/ });
  const leaving = command(engine, imei, 'reboot');
  await told();
  device.socket.destroy();
  t.match(await leaving, { state: 'failed', error: /^closed/ });
});
