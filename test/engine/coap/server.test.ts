import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import t, { type Test } from 'tap';
import { coap } from '../../../src/codecs/coap.js';
import type { CoapMessage } from '../../../src/engine/coap/message.js';
import { startTestEngine, until } from '../../support/engine.js';
import { random } from '../../support/random.js';

/** A device that sends and reads single messages, sound or not. */
class Device {
  readonly received: CoapMessage[] = [];

  private constructor(
    private readonly socket: Socket,
    private readonly port: number,
  ) {
    socket.on('message', (bytes) => this.received.push(coap.decode(bytes) as CoapMessage));
  }

  static async open(t: Test, port: number): Promise<Device> {
    const socket = createSocket('udp4').bind(0, '127.0.0.1');
    await once(socket, 'listening');
    t.teardown(() => socket.close());
    return new Device(socket, port);
  }

  raw(bytes: Uint8Array): void {
    this.socket.send(bytes, this.port, '127.0.0.1');
  }

  send(message: object): void {
    this.raw(coap.encode({ token: 't', ...message }) as Uint8Array);
  }

  async next(): Promise<CoapMessage> {
    await until(
      () => this.received.length > 0,
      () => 'nothing came',
    );
    return this.received.shift()!;
  }
}

async function start(t: Test, script: string) {
  const test = await startTestEngine(
    { 'main.lua': script },
    'servers: [{ name: c, port: 0, bind: 127.0.0.1, protocol: coap, entry: main.lua }]',
  );
  t.teardown(test.stop);
  const printed = () => test.log.filter(({ level }) => level === 'info').map(({ message }) => message);
  return { ...test, printed };
}

const path = (text: string) => text.split('/').map((value) => ({ name: 'Uri-Path', value }));
const text = ({ payload }: CoapMessage) => Buffer.from(payload).toString();

t.test('requests reach the script, its answers the device', async (t) => {
  const test = await start(
    t,
    `
    function on_connect(id, conn) print("connect") end
    function on_request(req, conn)
      print(table.concat({ req.method, req.path, tostring(req.query.a), req.payload, tostring(req.content_format),
        tostring(req.confirmable) }, "|"))
      if req.path == "/text" then return "21.5" end
      if req.path == "/table" then return { code = "2.01", payload = "{}", content_format = 50, max_age = 5, etag = "e" } end
      if req.path == "/none" then return end
      if req.path == "/slow" then mix.sleep(0.01) return "slow" end
      if req.path == "/refused" then return nil, "forbidden: not you" end
      if req.path == "/bad" then return { code = "9.99" } end
      error("no")
    end`,
  );
  const device = await Device.open(t, test.port());
  const ask = async (message: object, at: string) => {
    device.send({ message_id: 1 + Math.floor(Math.random() * 65_000), options: path(at), ...message });
    return device.next();
  };
  const first = await ask({ code: 'GET', message_id: 7 }, 'text');
  t.match(first, { type: 'ACK', code: '2.05', message_id: 7, token: Buffer.from('t') });
  t.equal(text(first), '21.5');
  const made = await ask(
    {
      code: 'POST',
      type: 'NON',
      payload: 'x',
      options: [...path('table'), { name: 'Uri-Query', value: 'a=1' }, { name: 'Content-Format', value: 60 }],
    },
    'table',
  );
  t.match(made, { type: 'NON', code: '2.01' });
  t.same(
    made.options.map(({ name, value }) => [name, Buffer.from(value).toString('hex')]),
    [
      ['ETag', '65'],
      ['Content-Format', '32'],
      ['Max-Age', '05'],
    ],
  );
  t.equal((await ask({ code: 'PUT' }, 'none')).code, '2.04');
  t.equal((await ask({ code: 'DELETE' }, 'none')).code, '2.02');
  t.equal(text(await ask({ code: 'GET' }, 'slow')), 'slow');
  const refused = await ask({ code: 'GET' }, 'refused');
  t.same([refused.code, text(refused)], ['4.03', 'forbidden: not you']);
  t.equal((await ask({ code: 'GET' }, 'bad')).code, '5.00');
  t.equal((await ask({ code: 'GET' }, 'error')).code, '5.00');
  t.same(test.printed().slice(1, 4), ['connect', 'GET|/text|nil||nil|true', 'POST|/table|1|x|60|false']);
});

t.test('a request that comes again is answered as before, and done once', async (t) => {
  const test = await start(
    t,
    `
    local n = 0
    function on_request(req) n = n + 1 return tostring(n) end`,
  );
  const device = await Device.open(t, test.port());
  for (const id of [1, 1, 2, 1]) {
    device.send({ code: 'POST', message_id: id });
    t.equal(text(await device.next()), id === 2 ? '2' : '1');
  }
  const other = await Device.open(t, test.port());
  other.send({ code: 'POST', message_id: 1 });
  t.equal(text(await other.next()), '3', 'ids are those of one device');
  device.send({ code: 'POST', type: 'NON', message_id: 9 });
  t.equal(text(await device.next()), '4');
  device.send({ code: 'POST', type: 'NON', message_id: 9 });
  device.send({ code: 'POST', message_id: 10 });
  t.equal(text(await device.next()), '5', 'nothing for the one that was not confirmable');
});

t.test(
  'an answer that takes time follows the acknowledgement, until it is acknowledged itself',
  async (t) => {
    const test = await start(t, 'function on_request(req) mix.sleep(1.2) return "late" end');
    const device = await Device.open(t, test.port());
    device.send({ code: 'GET', message_id: 5 });
    t.match(await device.next(), { type: 'ACK', code: '0.00', message_id: 5 });
    device.send({ code: 'GET', message_id: 5 });
    const late = await device.next();
    t.match(late, { type: 'CON', code: '2.05', token: Buffer.from('t') });
    t.equal(text(late), 'late');
    t.match(
      await device.next(),
      { type: 'ACK', code: '0.00', message_id: 5 },
      'for the request that came again',
    );
    const again = await device.next();
    t.same([again.type, again.message_id], ['CON', late.message_id], 'sent again until then');
    device.send({ type: 'ACK', code: '0.00', message_id: late.message_id, token: '' });
  },
);

t.test('what is no request for a script is answered as RFC 7252 says', async (t) => {
  const test = await start(t, 'function on_request(req) return "x" end');
  const device = await Device.open(t, test.port());
  device.send({ code: '0.00', message_id: 3, token: '' });
  t.match(await device.next(), { type: 'RST', message_id: 3 }, 'a ping');
  device.send({ code: '2.05', message_id: 4 });
  t.match(await device.next(), { type: 'ACK', code: '0.00', message_id: 4 }, 'a response is acknowledged');
  device.send({ code: '7.01', message_id: 5 });
  t.match(await device.next(), { type: 'RST', message_id: 5 }, 'a reserved class');
  device.send({ code: '0.31', message_id: 6 });
  t.match(await device.next(), { code: '4.05' });
  device.send({ code: 'GET', message_id: 7, options: [{ number: 2051, value: 'x' }] });
  t.match(await device.next(), { code: '4.02' }, 'a critical option that nobody knows');
  device.send({ code: 'GET', message_id: 8, options: [{ number: 2050, value: 'x' }] });
  t.match(await device.next(), { code: '2.05' }, 'an elective one is skipped');
  device.send({ code: 'GET', message_id: 9, options: [{ name: 'Proxy-Uri', value: 'coap://x' }] });
  t.match(await device.next(), { code: '5.05' });
  device.raw(Buffer.from('4f010a0b', 'hex'));
  t.match(await device.next(), { type: 'RST', message_id: 0x0a0b }, 'a token cut short');
  device.raw(Buffer.from('80010001', 'hex'));
  device.raw(Buffer.from('5f010a0b', 'hex'));
  device.raw(Buffer.from([]));
  device.send({ type: 'RST', code: '0.00', message_id: 77, token: '' });
  device.send({ code: 'GET', message_id: 11 });
  t.match(await device.next(), { code: '2.05', message_id: 11 }, 'nothing for what else came');
});

t.test('scripts ask devices, too, and get what they answer', async (t) => {
  const test = await start(
    t,
    `
    function on_request(req, conn)
      local err = conn:send({ code = "GET", path = "a/b", token = "q", type = req.payload ~= "" and req.payload or nil })
      return tostring(err)
    end
    function on_message(msg) print(msg.code .. "|" .. msg.token .. "|" .. msg.payload) end`,
  );
  const device = await Device.open(t, test.port());
  device.send({ code: 'GET', message_id: 1, payload: 'NON' });
  const ours = [await device.next(), await device.next()].find(({ code }) => code === '0.01')!;
  t.match(ours, { type: 'NON', token: Buffer.from('q') });
  t.same(
    ours.options.map(({ value }) => Buffer.from(value).toString()),
    ['a', 'b'],
  );
  device.send({ type: 'NON', code: '2.05', message_id: 99, token: 'q', payload: '7' });
  await until(() => test.printed().includes('2.05|q|7'));
  const [id] = test.engine.clients.keys();
  t.match(await test.engine.mesh.send(id!, { data: 'text' }), { code: 'invalid_argument' });
  t.equal(await test.engine.mesh.send(id!, { data: { code: 'PUT', path: 'led', payload: 'on' } }), undefined);
  const put = await device.next();
  t.match(put, { type: 'CON', code: '0.03' });
  device.send({ type: 'ACK', code: '2.04', message_id: put.message_id, token: '' });
  await until(() => test.printed().includes('2.04||'));
});

t.test('noise disturbs nobody', async (t) => {
  const test = await start(t, 'function on_request(req) return "x" end');
  const { bytes, below } = random(t);
  const noise = await Device.open(t, test.port());
  for (let n = 0; n < 500; n++) noise.raw(bytes(below(60)));
  const device = await Device.open(t, test.port());
  // The socket may drop what comes while it is full: a device asks again, and is answered once.
  const asking = setInterval(() => device.send({ code: 'GET', message_id: 1 }), 50);
  t.teardown(() => clearInterval(asking));
  t.equal(text(await device.next()), 'x');
  t.notOk(test.log.some(({ level }) => level === 'error'));
});

t.test('the client of npm coap', async (t) => {
  const { request } = await import('coap');
  const test = await start(
    t,
    `function on_request(req)
      if req.method == "PUT" then return { code = "2.04", payload = req.payload .. req.query.unit } end
      mix.sleep(1.2)
      return "separate"
    end`,
  );
  const ask = (options: object, payload?: string) =>
    new Promise<{ code: string; body: string }>((resolve, reject) => {
      const asked = request({ host: '127.0.0.1', port: test.port(), ...options });
      asked.on('response', (response) => resolve({ code: response.code, body: response.payload.toString() }));
      asked.on('error', reject);
      asked.end(payload);
    });
  t.same(await ask({ method: 'PUT', pathname: '/led', query: 'unit=C', confirmable: true }, '21'), {
    code: '2.04',
    body: '21C',
  });
  t.same(await ask({ method: 'GET', pathname: '/slow' }), { code: '2.05', body: 'separate' });
});
