import { open } from 'node:fs/promises';
import { connect as connectTls } from 'node:tls';
import t from 'tap';
import { makeCertificates } from '../support/certificates.js';
import { missing } from '../support/need.js';
import { freePorts } from '../support/ports.js';
import { ptyPair } from '../support/pty.js';
import { LINES, startedWith } from '../support/restarting.js';

t.test('TLS is drained and closed last, and the log tells', async (t) => {
  const { server } = makeCertificates(t);
  const [plain, tls, api] = (await freePorts(3)) as [number, number, number];
  const gateway = await startedWith(
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
  const gateway = await startedWith(
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
