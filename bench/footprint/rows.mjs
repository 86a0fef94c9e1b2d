// What a release takes: memory idle, with clients of each protocol and with many scripts, the start, the installation.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Crowd } from '../echo/clients.mjs';
import { COAP, DatagramCrowd } from '../echo/idle.mjs';
import { PROTOCOLS } from '../echo/protocols.mjs';
import { certificate } from '../support/certificate.mjs';
import { startEngine } from '../support/server.mjs';
import { pause } from '../support/statistics.mjs';
import { table } from '../support/table.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const README = new URL('../README.md', import.meta.url);
const STARTS = 5;
const CLIENTS = [100, 1000, 10_000];
const SCRIPTS = 50;
/** V8 collects what is garbage some seconds after work has ended, and more of it after much work. */
const quietMs = (clients) => (clients > 1000 ? 12_000 : 5000);

const MiB = 2 ** 20;
const show = (bytes) => (bytes / MiB).toFixed(1);
const protocol = (name) => PROTOCOLS.find(({ idle }) => idle === name);

/** How the engine of each protocol is started, and its clients. */
const ENGINES = [
  { name: 'TCP', start: () => startEngine('echo'), crowd: (port) => new Crowd(port, protocol('TCP')) },
  {
    name: 'UDP',
    start: () => startEngine('echo', { transport: 'udp' }),
    crowd: (port) => new DatagramCrowd(port, protocol('TCP').request(21)),
  },
  {
    name: 'WebSocket',
    start: () => startEngine('echo_websocket', { protocol: 'websocket', websocket: { pingSeconds: 0 } }),
    crowd: (port) => new Crowd(port, protocol('WebSocket')),
  },
  {
    name: 'MQTT',
    start: () => startEngine('echo_mqtt', { protocol: 'mqtt' }),
    crowd: (port) => new Crowd(port, protocol('MQTT')),
  },
  {
    name: 'TLS',
    start: (tls) => startEngine('echo', { tls }),
    crowd: (port) => new Crowd(port, protocol('TLS')),
  },
  { name: 'CoAP', start: () => startEngine('echo_coap', { protocol: 'coap' }), crowd: COAP.crowd },
];

/** Memory profiles of boards/: flags of Node for boards with less than 768 MiB, less than 1536 MiB, and more. */
const PROFILES = [
  ['--max-old-space-size=96', '--max-semi-space-size=1'],
  ['--max-old-space-size=192', '--max-semi-space-size=2'],
  ['--max-old-space-size=512', '--max-semi-space-size=4'],
];

/** All rows: what, RssAnon, RSS and, where there is another measure than memory, that. */
export async function footprintRows(note) {
  const tls = certificate();
  try {
    const rows = await startAndIdle(note);
    for (const engine of ENGINES) rows.push(...(await clientRows(engine, tls.files, note)));
    for (const flags of PROFILES) rows.push(...(await profileRows(flags, note)));
    rows.push(await scriptsRow(note), ...installRows(note));
    return rows;
  } finally {
    tls.remove();
  }
}

async function startAndIdle(note) {
  note('footprint: start and idle');
  const times = [];
  let memory;
  for (let i = 0; i < STARTS; i++) {
    const engine = await startEngine('echo');
    times.push(engine.startMs);
    if (i === STARTS - 1) {
      await pause(quietMs(0));
      memory = engine.memory();
    }
    await engine.stop();
  }
  return [
    { what: 'start to listening', figure: `${Math.min(...times).toFixed(0)} ms, the fastest of ${STARTS}` },
    { what: 'idle, API up, one Lua server', memory },
  ];
}

async function clientRows({ name, start, crowd: crowdOf }, files, note) {
  const engine = await start(files);
  const crowd = crowdOf(engine.port);
  const rows = [];
  try {
    for (const clients of CLIENTS) {
      note(`footprint: ${clients} clients of ${name}`);
      await crowd.grow(clients);
      await pause(quietMs(clients));
      rows.push({ what: `${clients} idle clients of ${name}`, memory: engine.memory() });
    }
  } finally {
    await crowd.close();
    await engine.stop();
  }
  return rows;
}

async function profileRows(flags, note) {
  const profile = `with ${flags.join(' ')}`;
  note(`footprint: ${profile}`);
  const engine = await startEngine('echo', {}, 'auto', {}, { flags });
  const crowd = new Crowd(engine.port, protocol('TCP'));
  try {
    await pause(quietMs(0));
    const idle = engine.memory();
    await crowd.grow(CLIENTS.at(-1));
    await pause(quietMs(CLIENTS.at(-1)));
    return [
      { what: `idle, ${profile}`, memory: idle },
      { what: `${CLIENTS.at(-1)} idle clients of TCP, ${profile}`, memory: engine.memory() },
    ];
  } finally {
    await crowd.close();
    await engine.stop();
  }
}

async function scriptsRow(note) {
  note(`footprint: ${SCRIPTS} scripts`);
  const more = Array.from({ length: SCRIPTS - 1 }, (_, i) => `scripts-${i}`);
  const engine = await startEngine('echo', {}, 'auto', {}, { others: more });
  await pause(quietMs(0));
  const memory = engine.memory();
  await engine.stop();
  return { what: `${SCRIPTS} servers, each with its script`, memory };
}

/** The package of what is built, and what npm installs with it. */
function installRows(note) {
  note('footprint: installation');
  const folder = mkdtempSync(join(tmpdir(), 'moonwire-install-'));
  const npm = (args, cwd) => execFileSync('npm', [...args, '--silent'], { cwd, encoding: 'utf8' });
  try {
    const [packed] = JSON.parse(
      npm(['pack', '--ignore-scripts', '--json', '--pack-destination', folder], ROOT),
    );
    writeFileSync(join(folder, 'package.json'), '{"private":true}');
    npm(['install', '--omit=dev', '--no-audit', '--no-fund', join(folder, packed.filename)], folder);
    const all = sizeOf(join(folder, 'node_modules'));
    return [
      {
        what: 'the package, as `npm pack` makes it',
        figure: `${show(packed.size)} MiB, unpacked ${show(packed.unpackedSize)} MiB`,
      },
      {
        what: 'installed by `npm install --omit=dev`',
        figure: `${show(all.bytes)} MiB in ${all.files} files`,
      },
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function sizeOf(folder) {
  const sum = { bytes: 0, files: 0 };
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    sum.bytes += statSync(join(entry.parentPath, entry.name)).size;
    sum.files++;
  }
  return sum;
}

/** The table: these rows for this release, and below them those that README.md has of others. */
export function footprintTable(rows) {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const own = rows.map(({ what, memory, figure = '' }) => {
    const bytes = memory ? [show(memory.anonymous), show(memory.all)] : ['', ''];
    return [version, what, ...bytes, figure];
  });
  const [, before = ''] = readFileSync(README, 'utf8').split('<!-- footprint:');
  const others = before
    .split('<!-- end of footprint')[0]
    .split('\n')
    .filter((line) => /^\| \d/.test(line) && !line.startsWith(`| ${version} |`));
  return [table(['release', '', 'RssAnon, MiB', 'RSS, MiB', ''], own), ...others].join('\n');
}
