import { once } from 'node:events';
import { connect } from 'node:net';
import t from 'tap';
import { startTestEngine, until } from '../support/engine.js';
import { random } from '../support/random.js';
import { WebClient } from '../support/websocket.js';
import { rawFrame, rawWebSocket } from '../support/websocket-raw.js';

const server = (more = '') =>
  `servers: [{ name: s, port: 0, bind: 127.0.0.1, entry: main.lua, protocol: websocket${more && `, ${more}`} }]`;

async function start(script: string, more = '') {
  const test = await startTestEngine({ 'main.lua': script }, server(more));
  return { ...test, printed: () => test.log.filter(({ level }) => level === 'info').map((l) => l.message) };
}

t.test('handlers get the handshake and typed messages, and answer in kind', async (t) => {
  const test = await start(`
    function on_connect(id, conn) print("connect " .. id .. " " .. conn:client_id()) end
    function on_handshake(id, headers, server, conn)
      print(table.concat({ "handshake", id, conn:client_id(), server.Method, server.RequestUri, server.ServerProtocol,
        headers["User-Agent"], headers["X-Room"], server.Subprotocol }, "|"))
      print(server.Host == headers.Host and server.RemoteAddr == conn:remote_addr())
    end
    function on_message(msg, conn)
      local other, err = mix.websocket()
      assert(other:client_id() == conn:client_id())
      if msg.data == "type" then conn:send("\\xe4", "text") conn:send("x", "binary") return end
      conn:send(msg.data)
      conn:send(msg.type .. tostring(msg.finish), msg.type)
    end
    function on_close(id, err) print("close " .. tostring(err)) end
  `);
  t.teardown(test.stop);
  const client = await WebClient.connect(test.port(), '/chat?room=1', [], {
    headers: { 'User-Agent': 'tester', 'X-Room': '1, 2' },
  });
  client.send('grüß');
  client.send(Buffer.from([0xff, 0]));
  t.equal(await client.message(1), 'grüß');
  t.equal(await client.message(2), 'texttrue');
  t.same(await client.message(3), Buffer.from([0xff, 0]));
  t.same(await client.message(4), Buffer.from('binarytrue'));
  client.send('');
  t.equal(await client.message(5), '');
  client.send('type');
  t.same(await client.message(7), Buffer.from([0xe4]), 'no UTF-8: never sent as text');
  t.same(await client.message(8), Buffer.from('x'));
  client.ws.close(4001, 'bye');
  t.same(await client.end(), [4001, 'bye']);
  await until(() => test.engine.clients.size === 0);
  t.same(test.printed().slice(1), [
    'connect 1 1',
    'handshake|1|1|GET|/chat?room=1|HTTP/1.1|tester|1, 2|',
    'true',
    'close closed by peer: 4001 bye',
  ]);
});

t.test('the path may be named among the options, as in CONNMIX', async (t) => {
  const test = await start('', 'options: [{ name: path, value: /chat }]');
  t.teardown(test.stop);
  await t.rejects(WebClient.connect(test.port(), '/other'), /404/);
  await WebClient.connect(test.port(), '/chat');
});

t.test('what comes from outside is encoded, what a handler sends is not', async (t) => {
  const test = await start(`
    function protocol_encode(data) return "<" .. (type(data) == "table" and data.text or data) .. ">" end
    function protocol_decode() error("not for WebSockets") end
    function on_connect(id, conn) conn:subscribe("all") conn:send("plain") conn:send({ text = "table" }) end
  `);
  t.teardown(test.stop);
  const client = await WebClient.connect(test.port());
  t.equal(await client.message(1), 'plain');
  t.equal(await client.message(2), '<table>');
  const [id] = test.engine.clients.keys();
  t.equal(await test.engine.mesh.send(id!, { data: 'direct' }), undefined);
  t.equal(await client.message(3), '<direct>');
  t.same(await test.engine.mesh.publish('all', { data: 'news', type: 'binary' }), { success: 1, fail: 0 });
  t.same(await client.message(4), Buffer.from('<news>'));
});

t.test('conn:close tells code and reason', async (t) => {
  const test = await start(`
    function on_message(msg, conn)
      conn:send(table.concat({ conn:close(1001), conn:close(5000), conn:close(4000, ("x"):rep(124)) }, ";"))
      conn:close(4000, "wie schön")
      print(conn:close())
    end
    function on_close(id, err) print("closed", err) end
  `);
  t.teardown(test.stop);
  const client = await WebClient.connect(test.port());
  client.send('go');
  t.match(await client.message(1), /1000 or 3000 to 4999, not 1001;.*not 5000;.*at most 123 bytes/);
  t.same(await client.end(), [4000, 'wie schön']);
  await until(() => test.engine.clients.size === 0);
  t.same(test.printed().slice(1), ['closed: the client is closed', 'closed\tnil']);
});

t.test('transport ws: the bytes of messages are a stream for any protocol', async (t) => {
  const test = await startTestEngine(
    {
      'main.lua': `
        protocol = { name = "line", frame = mix.frame.delimiter { ends = "\\n" }, decode = function(frame) return frame end }
        function on_message(line, conn) conn:send("[" .. line .. "]") end
      `,
      'whole.lua': `
        protocol = { name = "w", frame = mix.frame.fixed { size = 99 }, decode = function(f) return f end, datagrams = true }
        function on_handshake(id, headers, server, conn) conn:send(server.RequestUri) end
        function on_message(message, conn) conn:send("[" .. message .. "]") end
      `,
    },
    `servers:
  - { name: s, port: 0, bind: 127.0.0.1, entry: main.lua, transport: ws }
  - { name: w, port: 0, bind: 127.0.0.1, entry: whole.lua, transport: ws }`,
  );
  t.teardown(test.stop);
  const client = await WebClient.connect(test.port());
  client.send('one\ntw');
  client.send(Buffer.from('o\nthree\n'));
  t.same(await client.message(3), Buffer.from('[three]'));
  t.same(client.received.join(''), '[one][two][three]');
  const whole = await WebClient.connect(test.port(1), '/x');
  whole.send('message');
  t.equal((await whole.message(1)).toString(), '/x');
  t.equal(
    (await whole.message(2)).toString(),
    '[message]',
    'a module that reads datagrams gets messages whole',
  );
});

const ECHO = 'function on_message(msg, conn) conn:send(msg.data, msg.type) end';

t.test('messages in fragments, between which pings may come', async (t) => {
  const test = await start(ECHO);
  t.teardown(test.stop);
  const client = await WebClient.connect(test.port());
  client.ws.send('frag', { fin: false });
  client.ws.ping('between');
  client.ws.send('men', { fin: false });
  client.ws.send('ted', { fin: true });
  t.equal(await client.message(1), 'fragmented');
  t.equal(client.pongs, 1);
});

t.test('who breaks the protocol or a limit is told so, and only he is closed', async (t) => {
  const test = await start(
    `${ECHO} function on_close(id, err) print(err) end`,
    'limits: { frameBytes: 1KiB }',
  );
  t.teardown(test.stop);
  const neighbour = await WebClient.connect(test.port());
  const big = Buffer.alloc(10);
  big.writeUIntBE(0x0000_ffff_ffff, 4, 6);
  const cases: [string, Buffer, number, RegExp][] = [
    ['not masked', rawFrame(0x81, Buffer.from('x'), false), 1002, /breaks the WebSocket protocol: .*MASK/],
    ['reserved bit', rawFrame(0xc1, Buffer.from('x')), 1002, /RSV1/],
    ['reserved opcode', rawFrame(0x83, Buffer.from('x')), 1002, /opcode/],
    ['continuation of nothing', rawFrame(0x80, Buffer.from('x')), 1002, /opcode/],
    ['ping in fragments', rawFrame(0x09, Buffer.from('x')), 1002, /FIN/],
    ['close code', rawFrame(0x88, Buffer.from([0, 7])), 1002, /status code 7/],
    ['text that is not UTF-8', rawFrame(0x81, Buffer.from([0xc0, 0x80])), 1007, /UTF-8/],
    ['long', rawFrame(0x82, Buffer.alloc(1025)), 1009, /a message is longer than 1024 bytes/],
    [
      'said to be huge',
      Buffer.from('82ff0000ffffffffffff', 'hex'),
      1009,
      /a message is longer than 1024 bytes/,
    ],
  ];
  for (const [name, bytes, code, err] of cases) {
    const socket = await rawWebSocket(test.port());
    socket.write(bytes);
    const [answer] = (await once(socket, 'data')) as [Buffer];
    t.equal(answer[0], 0x88, `${name}: a close frame`);
    t.equal(answer.readUInt16BE(2), code, name);
    const printed = test.printed().length;
    socket.end();
    await until(() => test.printed().length > printed);
    t.match(test.printed().at(-1), err, name);
  }
  // In fragments it is as long.
  const parts = await WebClient.connect(test.port());
  for (let i = 0; i < 3; i++) parts.ws.send(Buffer.alloc(400), { fin: i === 2 });
  t.match(await parts.end(), [1009]);
  t.equal(test.engine.servers[0]!.station.counters.closedOversize, 3);
  neighbour.send('still here');
  t.equal(await neighbour.message(1), 'still here');
});

t.test('a flood of pings is answered as far as it is read', async (t) => {
  const test = await start(ECHO);
  t.teardown(test.stop);
  const neighbour = await WebClient.connect(test.port());
  const flood = await rawWebSocket(test.port());
  flood.pause();
  const [client] = [...test.engine.clients.values()].slice(-1);
  const pings = Buffer.concat(Array.from({ length: 1000 }, () => rawFrame(0x89, Buffer.alloc(125))));
  let most = 0;
  for (let i = 0; i < 100; i++) {
    if (!flood.write(pings)) await once(flood, 'drain');
    most = Math.max(most, client!.connection.pendingBytes);
  }
  t.ok(most <= 8192, `at most ${most} bytes of pongs waited`);
  neighbour.send('still here');
  t.equal(await neighbour.message(1), 'still here');
  flood.destroy();
});

t.test('a client that reads nothing: sends fail, then it is closed', async (t) => {
  const test = await start(
    'function on_close(id, err) print(err) end',
    'limits: { sendBufferBytes: 64KiB, sendStallSeconds: 1 }',
  );
  t.teardown(test.stop);
  const client = await WebClient.connect(test.port());
  client.ws.pause();
  const [id] = test.engine.clients.keys();
  const data = 'x'.repeat(60_000);
  let failure: { code: string } | undefined;
  while (!failure) {
    failure = await test.engine.mesh.send(id!, { data });
    await new Promise(setImmediate);
  }
  t.equal(failure.code, 'queue_full');
  await until(() => test.engine.clients.size === 0);
  t.match(test.printed().at(-1), /took nothing for 1 s/);
  t.equal(test.engine.servers[0]!.station.counters.closedStalled, 1);
  client.ws.terminate();
});

t.test('a quiet client is not idle while it answers pings', async (t) => {
  const test = await start(
    'function on_close(id, err) print(id .. " " .. err) end',
    'limits: { idleSeconds: 3 }, websocket: { pingSeconds: 1 }',
  );
  t.teardown(test.stop);
  const quiet = await WebClient.connect(test.port());
  const dead = await WebClient.connect(test.port());
  dead.ws.pause();
  await until(() => test.engine.clients.size === 1);
  t.match(test.printed().at(-1), /^2 no answer to a ping within 1 s/);
  const { lastSeen } = test.engine.client(1)!;
  await until(() => (test.engine.client(1)?.lastSeen ?? 0) > lastSeen + 3500);
  t.equal(quiet.closed, undefined);
  dead.ws.terminate();
});

t.test('1,000 clients, a fan-out to all, and the end of the engine', async (t) => {
  const test = await start(
    `closed = 0
     function on_connect(id, conn) conn:subscribe("all") end
     function on_close(id, err) closed = closed + 1 if closed == 1000 then print("all closed", err) end end`,
  );
  t.teardown(test.stop);
  const clients: WebClient[] = [];
  for (let i = 0; i < 10; i++) {
    clients.push(...(await Promise.all(Array.from({ length: 100 }, () => WebClient.connect(test.port())))));
  }
  const data = 'news for all of you';
  t.same(await test.engine.mesh.publish('all', { data }), { success: 1000, fail: 0 });
  for (const client of clients) await client.message(1);
  t.ok(clients.every(({ received }) => received.length === 1 && received[0] === data));
  await test.engine.stop();
  for (const client of clients) await client.end();
  t.ok(clients.every(({ closed }) => closed?.[0] === 1001 && closed[1] === 'the engine stops'));
  t.match(test.printed().at(-1), /^all closed\tnil/);
});

t.test('garbage, before and after the handshake', async (t) => {
  const { below, bytes } = random(t);
  const test = await start(ECHO, 'limits: { handshakeSeconds: 2 }');
  t.teardown(test.stop);
  const neighbour = await WebClient.connect(test.port());
  for (let i = 0; i < 200; i++) {
    const socket = i % 2 ? await rawWebSocket(test.port()) : connect(test.port(), '127.0.0.1');
    socket.on('error', () => {}).resume();
    for (let n = 0; n < 3; n++) socket.write(bytes(1 + below(300)));
    socket.end();
    await once(socket, 'close');
  }
  neighbour.send('still here');
  t.equal(await neighbour.message(1), 'still here');
  await until(() => test.engine.clients.size === 1);
  t.same(
    test.log.filter(({ level }) => level === 'error'),
    [],
  );
});
