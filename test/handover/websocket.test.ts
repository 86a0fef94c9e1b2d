import { once } from 'node:events';
import { connect } from 'node:net';
import t from 'tap';
import { moonwire } from '../support/cli.js';
import { freePorts } from '../support/ports.js';
import { startedWith } from '../support/restarting.js';
import { WebClient } from '../support/websocket.js';

const MESSAGES = `
function on_message(message, conn)
  local total = (conn:context_value("total") or 0) + 1
  conn:set_context_value("total", total)
  conn:send(message.data .. " " .. total)
end
`;

t.test('WebSockets go on at a message; one in the middle of a message is closed with 1012', async (t) => {
  const [port, api] = (await freePorts(2)) as [number, number];
  const server = `{ name: web, port: ${port}, bind: 127.0.0.1, protocol: websocket, entry: FOLDER/m.lua }`;
  const gateway = await startedWith(t, api, `  servers: [${server}]`, { 'm.lua': MESSAGES });
  const clients = await Promise.all(Array.from({ length: 20 }, () => WebClient.connect(port)));
  t.teardown(() => {
    for (const { ws } of clients) ws.terminate();
  });
  const slow = await WebClient.connect(port);
  slow.send('first');
  await slow.message(1);
  // The head and a part of a masked message of 100 bytes, of which the rest never comes.
  (slow.ws as unknown as { _socket: ReturnType<typeof connect> })._socket.write(
    Buffer.from([0x81, 0x80 | 100, 1, 2, 3, 4, 5, 6, 7]),
  );
  const sent = clients.map(() => 0);
  const traffic = setInterval(() => {
    for (const [i, client] of clients.entries()) client.send(`m${++sent[i]!}`);
  }, 10);
  t.teardown(() => clearInterval(traffic));
  const told = await moonwire(['restart', '--api', `127.0.0.1:${api}`]);
  t.equal(told.code, 0, told.stderr);
  t.match(told.stdout, /took over 20 clients and 1 listeners; closed, .*: 1 websocket/);
  clearInterval(traffic);
  for (const [i, client] of clients.entries()) {
    await client.message(sent[i]!);
    t.strictSame(
      client.received,
      client.received.map((_, n) => `m${n + 1} ${n + 1}`),
    );
    t.equal(client.closed, undefined);
  }
  t.same(await slow.end(), [1012, 'service restart']);
  await moonwire(['restart', '--api', `127.0.0.1:${api}`]);
  clients[0]!.send('again');
  t.equal(await clients[0]!.message(sent[0]! + 1), `again ${sent[0]! + 1}`, 'a second time');
  await gateway.until(/has taken over/g, 2);
});

const ANY = `
function on_message(message, conn)
  local total = (conn:context_value("total") or 0) + 1
  conn:set_context_value("total", total)
  conn:send((type(message) == "table" and message.data or message) .. " " .. total)
end
`;

t.test('one port: streams and WebSockets go on, each as what it is', async (t) => {
  const [port, api] = (await freePorts(2)) as [number, number];
  const server = `{ name: any, port: ${port}, bind: 127.0.0.1, protocol: auto, entry: FOLDER/any.lua }`;
  const gateway = await startedWith(t, api, `  servers: [${server}]`, { 'any.lua': ANY });
  const web = await WebClient.connect(port);
  const stream = connect({ port, host: '127.0.0.1' });
  t.teardown(() => {
    web.ws.terminate();
    stream.destroy();
  });
  const ask = async (text: string): Promise<string> => {
    stream.write(text);
    const [answer] = await once(stream, 'data');
    return String(answer);
  };
  web.send('w');
  t.equal(await web.message(1), 'w 1');
  t.equal(await ask('s'), 's 1');
  await gateway.restart();
  web.send('w');
  t.equal(await web.message(2), 'w 2');
  t.equal(await ask('s'), 's 2');
  const late = await WebClient.connect(port);
  t.teardown(() => late.ws.terminate());
  late.send('w');
  t.equal(await late.message(1), 'w 1');
});
