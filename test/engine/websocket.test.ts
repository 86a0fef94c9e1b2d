import t from 'tap';
import { startTestEngine, until } from '../support/engine.js';
import { WebClient } from '../support/websocket.js';

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
