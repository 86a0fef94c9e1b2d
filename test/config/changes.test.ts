import t from 'tap';
import { compareConfigs, listChanges } from '../../src/config/changes.js';
import { ENTRY, load } from './support.js';

const changes = (before: string, after: string) =>
  listChanges(compareConfigs(load(before).config, load(after).config));
const server = (name: string, more = ''): string =>
  `engine: { servers: [{ ${ENTRY}, name: ${name}, port: 7000${more} }] }`;

t.test('the same file, written otherwise, changes nothing', async (t) => {
  t.same(changes(server('a'), server('a', ', limits: { frameBytes: 65536 }')), []);
  t.same(changes('logging: { level: info }', ''), []);
});

t.test('servers, links and sinks are known by their names, not by their place', async (t) => {
  const a = `{ ${ENTRY}, name: a, port: 7000 }`;
  const b = `{ ${ENTRY}, name: b, port: 7001 }`;
  t.same(changes(`engine: { servers: [${a}, ${b}] }`, `engine: { servers: [${b}, ${a}] }`), []);
  t.same(changes(`engine: { servers: [${a}] }`, `engine: { servers: [${b}] }`), [
    { path: 'engine.servers.b', effect: 'add' },
    { path: 'engine.servers.a', effect: 'remove' },
  ]);
  const link = (host: string) =>
    `engine: { links: [{ ${ENTRY}, name: plc, tcp: { host: ${host}, port: 502 } }] }`;
  t.same(changes(link('10.0.0.1'), link('10.0.0.2')), [
    { path: 'engine.links.plc', effect: 'replace', settings: ['tcp.host'] },
  ]);
  const sink = (path: string) => `sinks: [{ name: s, file: { path: ${path} } }]`;
  t.same(changes(sink('a.jsonl'), sink('b.jsonl')), [
    { path: 'sinks.s', effect: 'replace', settings: ['file.path'] },
  ]);
});

t.test('what connections outlive, and what they do not', async (t) => {
  t.same(changes(server('a'), server('a', ', limits: { sendStallSeconds: 7 }')), [
    { path: 'engine.servers.a', effect: 'change', settings: ['limits.sendStallSeconds'] },
  ]);
  t.same(changes(server('a'), server('a', ', protocol: websocket')), [
    { path: 'engine.servers.a', effect: 'replace', settings: ['protocol'] },
  ]);
  t.same(
    changes(server('a'), server('a', ', protocol: websocket, options: { unit: 7 }')).map((c) => c.effect),
    ['replace'],
    'one that cannot be outlived decides for all',
  );
});

t.test('settings that are in effect at once, and those that take a restart', async (t) => {
  t.same(changes('', 'logging: { level: debug }\naccess: { open: true }'), [
    { path: 'logging.level', effect: 'change' },
    { path: 'access', effect: 'change' },
  ]);
  t.same(changes('', 'store: { path: elsewhere }\nengine: { apiServer: { port: 7 }, name: x }'), [
    { path: 'engine.name', effect: 'restart' },
    { path: 'engine.apiServer.port', effect: 'restart' },
    { path: 'store.path', effect: 'restart' },
  ]);
});
