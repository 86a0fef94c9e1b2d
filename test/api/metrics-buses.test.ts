import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import t from 'tap';
import { startTestEngine, until } from '../support/engine.js';
import { readExposition, sampleValue } from '../support/exposition.js';
import { startMonitor } from '../support/monitor.js';

const SCRIPT = `
protocol = {
  frame = mix.frame.delimiter { ends = "\\n" },
  decode = function(line) return { text = line } end,
}
function on_connect(id, conn)
  conn:request("good\\n", { unit = "1" })
  conn:request("silent\\n", { unit = "2", timeout = 0.05, retries = 0 })
  mix.log(mix.INFO, "asked")
end
`;

t.test('requests over a bus, by unit and outcome', async (t) => {
  const server = createServer((socket) => {
    socket
      .on('error', () => {})
      .on('data', (bytes) => {
        if (bytes.toString().startsWith('good')) socket.write('yes\n');
      });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  const gateway = await startTestEngine(
    { 'main.lua': SCRIPT },
    `links: [{ name: line, tcp: { host: 127.0.0.1, port: ${port} }, entry: main.lua, bus: { name: b1 } }]`,
  );
  t.teardown(gateway.stop);
  const monitor = startMonitor(t, { engine: gateway.engine });
  await until(() => gateway.log.some(({ message }) => message === 'asked'));
  const samples = readExposition(monitor.metrics());
  const value = (name: string, labels: Record<string, string>) => sampleValue(samples, name, labels);
  t.equal(value('moonwire_bus_requests_total', { bus: 'b1', unit: '1' }), 1);
  t.equal(value('moonwire_bus_outcomes_total', { bus: 'b1', unit: '1', outcome: 'replies' }), 1);
  t.equal(value('moonwire_bus_outcomes_total', { bus: 'b1', unit: '2', outcome: 'timeouts' }), 1);
  t.equal(value('moonwire_bus_unit_open', { bus: 'b1', unit: '2' }), 0);
  t.equal(value('moonwire_bus_waiting', { bus: 'b1', priority: 'poll' }), 0);
  t.ok(gateway.engine.alive);
});
