/** Engines within a program: what they are given, what they tell, and that they share nothing. */

import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { WebSocket } from 'ws';
import {
  ConfigError,
  type Connection,
  type CreateEngineOptions,
  createEngine,
  type Delivery,
  Endpoint,
  type EngineClient,
  type Listener,
  lines,
  type MoonwireEngine,
  type Report,
  type Transport,
} from '../../src/index.js';
import { Device, recordingLogger, until } from '../support/engine.js';

const LOCAL = { port: 0, bind: '127.0.0.1' };

async function start(t: Test, options: CreateEngineOptions): Promise<MoonwireEngine> {
  const engine = createEngine(options);
  t.teardown(() => engine.stop());
  await engine.start();
  return engine;
}

/** A folder with files, whose path is short enough for a Unix socket. */
function folderWith(t: Test, files: Record<string, string> = {}): string {
  const folder = mkdtempSync(join(tmpdir(), 'moonwire-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

/** Unix sockets: a transport that Moonwire does not have. */
class UnixConnection extends Endpoint {
  readonly transport = 'unix';
  readonly datagram = false;

  constructor(
    private readonly socket: Socket,
    readonly local: string,
    readonly remote: string,
  ) {
    super();
    socket.on('error', (error) => this.blame(error));
    socket.on('close', () => this.finish());
    socket.on('end', () => this.end());
  }

  get pendingBytes(): number {
    return this.socket.writableLength;
  }

  write(bytes: Uint8Array): void {
    if (!this.closed) this.socket.write(bytes);
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  protected start(): void {
    this.socket.on('data', (bytes) => this.closed || this.handler?.data(bytes));
  }

  protected flushAndClose(): void {
    this.socket.end();
  }

  protected abort(): void {
    this.socket.destroy();
  }
}

const unix: Transport = {
  async listen({ name, options }, onConnection) {
    const path = String(options.path);
    const counters = { accepted: 0, refusedLimit: 0, refusedRate: 0, droppedDatagrams: 0 };
    const server: Server = createServer((socket) => {
      counters.accepted++;
      onConnection(new UnixConnection(socket, path, `${name}:${counters.accepted}`));
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(path, resolve);
    });
    const close = () => new Promise<void>((resolve) => server.close(() => resolve()));
    return { address: path, port: 0, counters, close } as unknown as Listener;
  },
  async connect({ options }): Promise<Connection> {
    const path = String(options.path);
    const socket = connect(path);
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    return new UnixConnection(socket, 'here', path);
  },
};

t.test(
  'two engines with the same names, but other codecs and transports; one stops, one goes on',
  async (t) => {
    const folder = folderWith(t, {
      'main.lua': `
      protocol = { name = "p", frame = mix.frame.delimiter { ends = "\\n" } }
      seen = 0
      function on_message(line, conn)
        seen = seen + 1
        conn:subscribe("all")
        local text, err = mix.codec.encode("own", line)
        conn:send(seen .. (text or err) .. "\\n")
      end`,
    });
    const make = (name: string) =>
      start(t, {
        name: 'same',
        codecs: [{ name: 'own', encode: () => Buffer.from(name), decode: String }],
        transports: { pipe: unix },
        servers: [
          { ...LOCAL, name: 'lua', entry: join(folder, 'main.lua') },
          {
            name: 'pipe',
            transport: 'pipe',
            options: { path: join(folder, `${name}.sock`) },
            handlers: { parse: lines(), onData: (client, line) => client.send(`${name} ${line}\n`) },
          },
        ],
        script: { roots: [folder] },
      });
    const [one, two] = await Promise.all([make('one'), make('two')]);
    const talk = async (engine: MoonwireEngine, name: string): Promise<string> => {
      const device = await Device.connect(engine.port('lua'));
      device.send('x\n');
      await device.until((text) => text.endsWith('\n'));
      const socket = connect(join(folder, `${name}.sock`));
      socket.write('y\n');
      const [answer] = await new Promise<Buffer[]>((resolve) =>
        socket.once('data', (...got) => resolve(got)),
      );
      socket.destroy();
      return `${device.text}${answer}`;
    };
    t.equal(await talk(one, 'one'), '1one\none y\n');
    t.equal(await talk(two, 'two'), '1two\ntwo y\n');
    t.strictSame(await one.publish('all', 'z'), { success: 1, fail: 0 }, 'channels are its own');
    t.match(one.servers, [
      { name: 'lua', transport: 'tcp' },
      { name: 'pipe', transport: 'pipe' },
    ]);
    await one.stop();
    t.throws(() => one.servers, { code: 'closed' });
    t.equal(await talk(two, 'two'), '2two\ntwo y\n');
    await t.rejects(two.start(), { code: 'conflict' });
    await one.start();
    t.equal(await talk(one, 'one'), '1one\none y\n', 'started again, it begins anew');
  },
);

t.test('links have handlers and transports, too, and open again', async (t) => {
  const path = join(folderWith(t), 'device.sock');
  const polled: string[] = [];
  const device = await start(t, {
    transports: { unix },
    servers: [
      {
        name: 'device',
        transport: 'unix',
        options: { path },
        handlers: {
          parse: lines(),
          onData(client, line) {
            client.send(`${line}!\n`);
            if (String(line) === 'read 2') client.end();
          },
        },
      },
    ],
  });
  let polls = 0;
  let opened = 0;
  const gateway = await start(t, {
    transports: { unix },
    links: [
      {
        name: 'meter',
        transport: 'unix',
        options: { path },
        reconnect: { minSeconds: 0.05, maxSeconds: 0.1 },
        poll: { everySeconds: 0.1 },
        handlers: {
          parse: lines(),
          onConnected: () => {
            opened++;
          },
          onPoll: (client) => client.send(`read ${++polls}\n`),
          onData: (client, line) => polled.push(`${client.server} ${client.transport} ${line}`),
        },
      },
    ],
  });
  await until(() => polled.length >= 3 && opened >= 2);
  t.strictSame(
    polled.slice(0, 3),
    [1, 2, 3].map((n) => `meter unix read ${n}!`),
  );
  t.equal([...gateway.clients()].length, 1);
  t.equal([...device.clients()].length, 1);
});

t.test('HTTP requests are answered by a handler, and WebSockets come on the same port', async (t) => {
  const engine = await start(t, {
    servers: [
      {
        ...LOCAL,
        protocol: 'auto',
        handlers: {
          parse: lines(),
          onData: (client, line) => client.send(`line ${line}\n`),
          onMessage: (client, { data }) => client.send(`message ${data}`),
          async onRequest(client, { method, path, query, body }) {
            if (path === '/fail') throw new Error('no');
            return { status: 201, json: { method, path, query, body: String(body), from: client.server } };
          },
        },
      },
    ],
  });
  const url = `http://127.0.0.1:${engine.port()}`;
  const response = await fetch(`${url}/a?b=c`, { method: 'POST', body: 'hi' });
  t.equal(response.status, 201);
  t.same(await response.json(), {
    method: 'POST',
    path: '/a',
    query: { b: 'c' },
    body: 'hi',
    from: 'tcp-0',
  });
  t.equal((await fetch(`${url}/fail`)).status, 500);
  const device = await Device.connect(engine.port());
  device.send('x\n');
  await device.until((text) => text === 'line x\n');
  const socket = new WebSocket(url.replace('http', 'ws'));
  const said = new Promise((resolve) => socket.on('message', (data) => resolve(String(data))));
  socket.on('open', () => socket.send('y'));
  t.equal(await said, 'message y');
  socket.terminate();
});

t.test('sinks of the program get each report at least once, over a restart', async (t) => {
  const folder = folderWith(t, { 'main.lua': 'function init() mix.report("lua", { n = 0 }) end' });
  const delivered: Delivery[] = [];
  const seen: Report[] = [];
  let up = false;
  const log = recordingLogger();
  const engine = createEngine({
    log,
    store: { path: join(folder, 'data') },
    sinks: [
      {
        name: 'mine',
        retry: { minSeconds: 0.05, maxSeconds: 0.1 },
        async deliver(batch) {
          if (!up) throw new Error('away');
          delivered.push(...batch);
        },
      },
    ],
    servers: [{ ...LOCAL, entry: join(folder, 'main.lua') }],
  });
  t.teardown(() => engine.stop());
  engine.on('report', (report) => seen.push(report));
  await engine.start();
  await engine.report('ts', { n: 1 }, { durable: true, topic: 'a/b' });
  await t.rejects(engine.report('', {}), { code: 'invalid_argument' });
  await until(() => log.lines.some(({ reason }) => reason === 'away'));
  await engine.stop();
  t.equal(delivered.length, 0);
  up = true;
  await engine.start();
  await until(() => delivered.some(({ device }) => device === 'ts') && delivered.length >= 3);
  t.match(
    delivered.find(({ device }) => device === 'ts'),
    { values: { n: 1 }, topic: 'a/b', engine: engine.name },
  );
  t.ok(seen.some(({ deviceId, durable }) => deviceId === 'ts' && durable));
  t.ok(seen.some(({ deviceId }) => deviceId === 'lua'));
});

t.test('without a store nothing is written, and no API is opened unless asked for', async (t) => {
  const folder = folderWith(t);
  const cwd = process.cwd();
  process.chdir(folder);
  t.teardown(() => process.chdir(cwd));
  const log = recordingLogger();
  const engine = await start(t, { log, name: 'quiet', servers: [{ ...LOCAL, handlers: {} }] });
  await engine.report('d', { n: 1 }, { durable: true });
  await engine.stop();
  t.notOk(existsSync(join(folder, 'data')));
  t.notMatch(
    log.lines.map(({ message }) => message),
    /api/i,
  );
  const open = await start(t, { log, apiServer: { port: 0 } });
  const line = log.lines.find(({ at, message }) => at === 'api' && /\d+$/.test(message));
  const port = /(\d+)$/.exec(String(line?.message))?.[1];
  t.equal((await fetch(`http://127.0.0.1:${port}/v1/health`)).status, 200);
  await open.stop();
});

t.test('wrong options are refused before anything is opened, with their places', async (t) => {
  const refused = (options: object): string => {
    try {
      createEngine(options as CreateEngineOptions);
      return 'nothing';
    } catch (error) {
      if (!(error instanceof ConfigError)) return `${(error as Error).name}: ${(error as Error).message}`;
      return error.message;
    }
  };
  const handlers = {};
  t.match(
    refused({ servers: [{ port: 70_000, handlers }] }),
    /servers\[0\]\.port: must be .*65535, got 70000/,
  );
  t.match(refused({ servers: [{ port: 1 }] }), /servers\[0\]\.entry: is missing/);
  t.match(refused({ serverz: [] }), /createEngine: .*serverz: is not a known setting/);
  t.match(refused({ servers: [{ port: 1, handlers, entry: 'x.lua' }] }), /entry or handlers, not both/);
  t.match(refused({ servers: [{ port: 1, handlers, transport: 'can' }] }), /transport: must be one of/);
  t.match(refused({ servers: [{ port: 1, entry: 'none.lua' }] }), /must be a readable file/);
  t.match(
    refused({
      servers: [
        { ...LOCAL, handlers },
        { ...LOCAL, handlers },
      ],
    }),
    /must be unique/,
  );
  t.match(refused({ sinks: [{ name: 'x', deliver() {} }] }), /store/);
  t.match(refused({ centerRegistry: 'tcp://localhost:1' }), /store/);
  t.match(refused({ workers: 2 }), /workers/);
  t.match(refused({ codecs: [{ name: 'json' }] }), /codec named "json"/);
  const mqtt = createEngine({ servers: [{ ...LOCAL, protocol: 'mqtt', handlers }] });
  await t.rejects(mqtt.start(), /mqtt needs a script/);
});

t.test('what cannot start leaves nothing open', async (t) => {
  const first = await start(t, { servers: [{ ...LOCAL, handlers: {} }] });
  let told = 0;
  const second = createEngine({
    servers: [
      { ...LOCAL, name: 'a', handlers: {} },
      { ...LOCAL, name: 'b', port: first.port(), handlers: {} },
    ],
  });
  await t.rejects(second.start(), { code: 'conflict' });
  const third = createEngine({
    servers: [
      {
        ...LOCAL,
        handlers: {
          onReady(engine: MoonwireEngine) {
            told = engine.port();
            throw new Error('not ready');
          },
        },
      },
    ],
  });
  await t.rejects(third.start(), /not ready/);
  t.ok(told > 0);
  await t.rejects(Device.connect(told), { code: 'ECONNREFUSED' });
  const slow = createEngine({ servers: [{ ...LOCAL, handlers: {} }] });
  const starting = slow.start();
  await slow.stop();
  await starting.catch(() => {});
  t.throws(() => slow.servers, { code: 'closed' }, 'stopped while it started');
});

t.test('what a listener for events throws harms nobody', async (t) => {
  const log = recordingLogger();
  const engine = await start(t, {
    log,
    servers: [{ ...LOCAL, handlers: { onData: (client, data) => client.send(data) } }],
  });
  const clients: EngineClient[] = [];
  engine.on('connection', (client) => {
    clients.push(client);
    throw new Error('listener');
  });
  const device = await Device.connect(engine.port());
  device.send('x');
  await device.until((text) => text === 'x');
  t.equal(engine.client(clients[0]!.id), clients[0], 'one object a client');
  t.match(
    log.lines.filter(({ level }) => level === 'error'),
    [{ message: 'a listener for connection failed', reason: 'listener' }],
  );
});
