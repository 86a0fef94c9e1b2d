// biome-ignore-all format: it is an example of a README, as it stands there
// biome-ignore-all lint: likewise
import { createEngine, type Handlers, lines } from '../../../src/index.js';

interface Session { name?: string }

const chat: Handlers<Session> = {
  parse: lines({ max: 1024 }),
  onConnected: (client) => client.subscribe('room'),
  async onData(client, line) {
    client.context ??= { name: await lookUp(client.remote) };
    await engine.publish('room', `${client.context.name}: ${line}\n`);
  },
  onClosed: (client, error) => console.log(client.id, 'left', error?.message ?? ''),
};

const engine = createEngine({
  name: 'barn-3',
  servers: [
    { name: 'chat', port: 9000, handlers: chat },
    { name: 'trackers', port: 9001, entry: 'lua/entry.gt06.lua', limits: { idleSeconds: '10m' } },
    { name: 'web', port: 8080, protocol: 'http', handlers: { onRequest: (_, { path }) => ({ json: { path } }) } },
  ],
  links: [{ name: 'plc', tcp: { host: '192.0.2.5', port: 502 }, entry: 'lua/entry.modbus.lua' }],
  store: { path: './data' },
  sinks: [{ name: 'mine', async deliver(batch) { await database.insert(batch); } }],
  log: logger,
});
engine.on('report', ({ deviceId, values }) => console.log(deviceId, values));
await engine.start();

declare function lookUp(address: string): Promise<string>;
declare const database: { insert(rows: readonly object[]): Promise<void> };
declare const logger: import('../../../src/index.js').Logger;

export type { Session };
