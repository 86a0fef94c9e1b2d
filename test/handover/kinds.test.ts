import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import t, { type Test } from 'tap';
import { makeCertificates } from '../support/certificates.js';
import { moonwire } from '../support/cli.js';
import { missing } from '../support/need.js';
import { freePorts } from '../support/ports.js';
import { ptyPair } from '../support/pty.js';
import { LINES, Restarting } from '../support/restarting.js';
import { WebClient } from '../support/websocket.js';

const MESSAGES = `
function on_message(message, conn)
  local total = (conn:context_value("total") or 0) + 1
  conn:set_context_value("total", total)
  conn:send(message.data .. " " .. total)
end
`;

/** A gateway with these servers and links. */
async function started(t: Test, api: number, parts: string, files: Record<string, string>) {
  const [mesh] = await freePorts(1);
  const folder = t.testdir(files);
  const file = join(folder, 'x.yaml');
  writeFileSync(
    file,
    `
engine:
  name: kept
  apiServer: { port: ${api} }
  meshPoint: { port: ${mesh} }
${parts.replaceAll('FOLDER', folder)}
store: { path: ${folder}/data }
`,
  );
  return Restarting.start(t, file);
}

t.test('WebSockets go on at a message; one in the middle of a message is closed with 1012', async (t) => {
  const [port, api] = (await freePorts(2)) as [number, number];
  const server = `{ name: web, port: ${port}, bind: 127.0.0.1, protocol: websocket, entry: FOLDER/m.lua }`;
  const gateway = await started(t, api, `  servers: [${server}]`, { 'm.lua': MESSAGES });
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
  const gateway = await started(t, api, `  servers: [${server}]`, { 'any.lua': ANY });
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

t.test('TLS is drained and closed last, and the log tells', async (t) => {
  const { server } = makeCertificates(t);
  const [plain, tls, api] = (await freePorts(3)) as [number, number, number];
  const gateway = await started(
    t,
    api,
    `  servers:
    - { name: plain, port: ${plain}, bind: 127.0.0.1, entry: FOLDER/l.lua }
    - { name: secure, port: ${tls}, bind: 127.0.0.1, entry: FOLDER/l.lua, tls: { cert: ${server.cert}, key: ${server.key} } }
sinks: [{ name: out, file: { path: FOLDER/out.jsonl } }]`,
    { 'l.lua': `${LINES}\nfunction on_close(conn) mix.report("d", { n = 1 }) end` },
  );
  const socket = connectTls({ port: tls, host: '127.0.0.1', rejectUnauthorized: false });
  t.teardown(() => socket.destroy());
  socket.write('one\n');
  await new Promise((resolve) => socket.once('data', resolve));
  const ended = new Promise((resolve) => socket.once('end', resolve).resume());
  await gateway.restart();
  await gateway.until(/"closed":\{"tls":1\}/g);
  await ended;
  await gateway.until(/connections that could not be handed over are closed/g);
  await gateway.until(/"reports":1[^\n]*on_close of these reported was refused/g);
});

t.test('a serial line is closed and opened again', { skip: missing('socat', 'socat') }, async (t) => {
  const line = await ptyPair();
  t.teardown(() => line.remove());
  const [api] = (await freePorts(1)) as [number];
  const gateway = await started(
    t,
    api,
    `  links: [{ name: meter, serial: { port: ${line.a}, baudRate: 9600 }, entry: FOLDER/l.lua }]`,
    { 'l.lua': LINES },
  );
  const far = await open(line.b, 'r+');
  t.teardown(() => far.close());
  const ask = async (text: string): Promise<string> => {
    await far.write(text);
    const { buffer, bytesRead } = await far.read(Buffer.alloc(100), 0, 100);
    return buffer.toString('latin1', 0, bytesRead);
  };
  await gateway.until(/link meter is open/g);
  t.equal(await ask('one\n'), 'one 1 1\n');
  await gateway.restart();
  await gateway.until(/link meter is open/g, 2);
  t.equal(await ask('two\n'), 'two 1 1\n', 'a new client');
  const [, ms, atRisk] = await gateway.until(/"ms":(\d+),"at_risk":(\d+)/g);
  t.equal(Number(atRisk), Math.ceil((Number(ms) / 1000) * 960), '10 bits a character');
  const metrics = await (await fetch(`http://127.0.0.1:${api}/metrics`)).text();
  t.ok(metrics.includes(`moonwire_bytes_at_risk_total{server="meter"} ${atRisk}\n`));
});
