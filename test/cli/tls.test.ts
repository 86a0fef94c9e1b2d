import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { makeCertificates, replaceFile } from '../support/certificates.js';
import { moonwire, startMoonwire } from '../support/cli.js';
import { missing } from '../support/need.js';
import { WebClient } from '../support/websocket.js';

const run = promisify(execFile);

/** Asks with curl; the answer, or how curl failed. */
const curl = (...args: string[]): Promise<string> =>
  run('curl', ['-sS', '--max-time', '20', ...args]).then(
    ({ stdout }) => stdout,
    (error: { stderr: string }) => error.stderr,
  );

const skip = missing('openssl', 'openssl') || missing('curl', 'curl');

t.test('an engine whose servers and API speak TLS', { skip }, async (t) => {
  const { ca, client, server, folder, issue } = makeCertificates(t);
  const file = join(folder, 'x.yaml');
  const tls = `{ cert: ${server.cert}, key: ${server.key}, ca: ${ca}, clientCert: optional }`;
  writeFileSync(
    join(folder, 'main.lua'),
    'function on_message(msg, conn) local tls = conn:tls() conn:send(tls.version .. " " .. tls.subject.CN) end',
  );
  writeFileSync(
    file,
    `engine:
  name: safe
  apiServer: { port: 0, tls: ${tls} }
  servers: [{ port: 0, bind: 127.0.0.1, protocol: websocket, entry: ${folder}/main.lua, tls: ${tls} }]
store: { path: ${folder}/data }
`,
  );
  t.match((await moonwire(['check', file])).stdout, /ok/);
  const engine = startMoonwire(t, ['engine', '-f', file]);
  const [, port] = await engine.until(/API listening on 127\.0\.0\.1:(\d+) with TLS/);
  const [, wsPort] = await engine.until(/listening on ws 127\.0\.0\.1:(\d+) with TLS/);
  const url = `https://127.0.0.1:${port}/v1/clients`;

  t.match(JSON.parse(await curl('--cacert', ca, url)), { clients: [] });
  t.match(JSON.parse(await curl('--cacert', ca, '--tlsv1.3', '--http1.1', url)), { clients: [] });
  t.match(await curl(url), /curl: \(60\)/, 'not trusted');
  t.match(await curl(url.replace('https', 'http')), /curl: \(\d+\)/, 'no plain HTTP');
  t.match(await curl('--cacert', ca, '--tls-max', '1.1', url), /curl: \(35\)/);
  const stranger = makeCertificates(t).client;
  t.match(await curl('--cacert', ca, '--cert', stranger.cert, '--key', stranger.key, url), /curl: \(\d+\)/);

  const api = ['--api', `https://127.0.0.1:${port}`];
  const ps = await moonwire(['ps', ...api], { env: { MOONWIRE_API_CA: ca } });
  t.match(ps, { code: 0, stdout: /safe/ });
  t.match(await moonwire(['ps', ...api]), { code: 1, stderr: /is not trusted/ });
  t.match(await moonwire(['ps', ...api], { env: { MOONWIRE_API_CA: '/none' } }), {
    stderr: /MOONWIRE_API_CA cannot be read/,
  });

  const identity = { cert: readFileSync(client.cert), key: readFileSync(client.key) };
  const ws = await WebClient.connect(Number(wsPort), '/', [], { ca: readFileSync(ca), ...identity });
  ws.send('who am I');
  t.equal(await ws.message(1), 'TLSv1.3 client');

  const next = issue('next', 'subjectAltName=DNS:next.example');
  replaceFile(server.cert, next.cert);
  replaceFile(server.key, next.key);
  await engine.until(/read again.*read again/s);
  t.match(await curl('--cacert', ca, url), /curl: \(60\)/, 'the new certificate has another name');
  const resolve = ['--connect-to', `next.example:${port}:127.0.0.1:${port}`];
  t.match(await curl('--cacert', ca, ...resolve, url.replace('127.0.0.1', 'next.example')), /forbidden/);
  ws.send('still here');
  t.equal(await ws.message(2), 'TLSv1.3 client');
  ws.ws.terminate();
  t.match(await engine.stop(), { code: 0 });
});
