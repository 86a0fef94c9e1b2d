// What the centre keeps of 100,000 registered clients: an uplink in this process registers them, as an engine does.
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { pause } from '../support/statistics.mjs';
import { startCluster } from './cluster.mjs';

const ROOT = new URL('../../', import.meta.url);
const CLIENTS = 100_000;
/** Memory is read at the end of so many quiet seconds: V8 collects what is garbage after some of them. */
const QUIET_SECONDS = 12;
const SEQUENCES = 2 ** 33;

/** The engine's side of the uplink, bundled as production does. */
async function uplink() {
  const folder = mkdtempSync(join(tmpdir(), 'moonwire-bench-'));
  try {
    const outfile = join(folder, 'uplink.mjs');
    await build({
      stdin: {
        contents: `export { Uplink } from './src/uplink/uplink.js';
export { Registration } from './src/uplink/registration.js';`,
        resolveDir: fileURLToPath(ROOT),
        loader: 'ts',
      },
      outfile,
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node20',
      external: ['cbor-extract', 'serialport', '@serialport/*'],
      define: { 'import.meta.url': JSON.stringify(new URL('src/bundle.js', ROOT).href) },
      banner: {
        js: `import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(${JSON.stringify(ROOT.href)});`,
      },
      logLevel: 'error',
    });
    return await import(pathToFileURL(outfile).href);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function settled(peer) {
  await pause(QUIET_SECONDS * 1000);
  return peer.rssAnon();
}

/** A row with the bytes a client costs the centre, and how long registering all of them took. */
export async function registrationRows(note) {
  note(`registration of ${CLIENTS} clients`);
  const { Uplink, Registration } = await uplink();
  const cluster = await startCluster(0);
  const { center } = cluster;
  let engine;
  try {
    const before = await settled(center);
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    const identity = {
      publicKey: Buffer.from(publicKey.export({ format: 'jwk' }).x, 'base64url'),
      privateKey,
      node: 0,
      setNode: async (node) => {
        identity.node = node;
      },
    };
    const log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };
    const source = {
      servers: () => [],
      labels: () => ({}),
      stats: () => ({ clients: CLIENTS, messages: 0, memory: 0 }),
      channels: () => [],
      devices: () => [],
      clients: function* clients() {
        for (let i = 0; i < CLIENTS; i++) yield identity.node * SEQUENCES + i;
      },
    };
    const registration = new Registration(source);
    engine = new Uplink(
      {
        addresses: [{ scheme: 'tcp', host: '127.0.0.1', port: center.registry, path: '/' }],
        name: 'registrar',
        version: 'bench',
        labels: {},
        joinToken: 'bench',
        heartbeat: { interval: 10, tolerance: 15 },
      },
      { log, identity, registration, owner: { up() {}, down() {}, peers() {} } },
    );
    const began = performance.now();
    engine.start();
    for (;;) {
      const { engines } = await (await fetch(`http://127.0.0.1:${center.api}/v1/engines`)).json();
      if (engines[0]?.clients === CLIENTS) break;
      await pause(20);
    }
    const seconds = (performance.now() - began) / 1000;
    const after = await settled(center);
    return [
      {
        what: `${CLIENTS} clients registered at a centre, memory of each`,
        figure: `${Math.round((after - before) / CLIENTS)} bytes`,
        details: `RssAnon ${(before / 2 ** 20).toFixed(1)} MiB before, ${(after / 2 ** 20).toFixed(1)} MiB after; registered in ${seconds.toFixed(2)} s`,
      },
    ];
  } finally {
    await engine?.stop();
    await cluster.stop();
  }
}
