import t from 'tap';
import { writeEngineMetrics } from '../../src/api/metrics-engine.js';
import { MetricsText } from '../../src/api/metrics-text.js';
import { configJsonSchema } from '../../src/config/json-schema.js';
import { startTestEngine } from '../support/engine.js';

const dropped = (reason: string) => `moonwire_clients_dropped_total{server="s",reason="${reason}"}`;
const refused = (reason: string) => `moonwire_connections_refused_total{server="s",reason="${reason}"}`;
const ofServer = (name: string) => `moonwire_${name}{server="s"}`;

/** Where each limit is counted: who or what it kept out, ended or held up. */
const OF_SERVER: Record<string, string[]> = {
  frameBytes: [dropped('oversize'), ofServer('datagrams_dropped_total')],
  sendBufferBytes: [ofServer('sends_refused_total')],
  sendOverflow: [dropped('overflow'), ofServer('sends_dropped_total')],
  sendStallSeconds: [dropped('stalled')],
  connections: [refused('limit')],
  acceptsPerSecond: [refused('rate')],
  connectionsPerAddress: [refused('address')],
  acceptsPerSecondPerAddress: [refused('address_rate')],
  messagesPerSecond: [ofServer('messages_delayed_total')],
  messagesBurst: [ofServer('messages_delayed_total')],
  messageOverflow: [ofServer('messages_dropped_total'), dropped('rate')],
  idleSeconds: [dropped('idle')],
  handshakeSeconds: [ofServer('handshakes_failed_total')],
  sniffSeconds: ['silent', 'slow'].map((found) => `moonwire_sniffed_total{server="s",found="${found}"}`),
  handshakes: [ofServer('handshakes_delayed_total')],
  pendingHandshakes: [refused('pending')],
};
const OF_ENGINE: Record<string, string[]> = {
  connections: [refused('total')],
  acceptsPerSecond: [refused('total_rate')],
  handshakes: [ofServer('handshakes_delayed_total')],
  pendingHandshakes: [refused('pending')],
  pendingBytes: ['moonwire_sends_shed_total', 'moonwire_pending_bytes'],
  lagSeconds: [refused('overload'), 'moonwire_overloaded'],
};

interface Schema {
  readonly properties: Readonly<Record<string, Schema>>;
  readonly items: Schema;
}

t.test('every limit of the configuration has a counter', async (t) => {
  const { engine } = (configJsonSchema() as Schema).properties;
  const { servers, links, limits } = engine!.properties;
  const own = Object.keys(servers!.items.properties.limits!.properties);
  t.same(own.sort(), Object.keys(OF_SERVER).sort(), 'name the counter of a new limit here');
  t.same(Object.keys(limits!.properties).sort(), Object.keys(OF_ENGINE).sort());
  for (const name of Object.keys(links!.items.properties.limits!.properties)) t.ok(OF_SERVER[name], name);

  const e = await startTestEngine(
    { 'main.lua': '' },
    'servers: [{ name: s, port: 0, bind: 127.0.0.1, protocol: auto, entry: main.lua }]',
  );
  const text = new MetricsText();
  writeEngineMetrics(text, e.engine);
  const samples = text.toString().split('\n');
  for (const [limit, counters] of [...Object.entries(OF_SERVER), ...Object.entries(OF_ENGINE)])
    for (const counter of counters) t.ok(samples.includes(`${counter} 0`), `${limit}: ${counter}`);
  await e.stop();
});
