import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import mqttPacket, { type IPublishPacket, type Packet } from 'mqtt-packet';
import t, { type Test } from 'tap';
import { freePorts } from '../support/ports.js';
import { Restarting } from '../support/restarting.js';
import { eventually } from '../support/workers.js';

/** A broker that confirms no message until it is told to. */
class SlowBroker {
  readonly published: IPublishPacket[] = [];
  connections = 0;
  confirms = false;

  private constructor(readonly port: number) {}

  static async start(t: Test): Promise<SlowBroker> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const broker = new SlowBroker((server.address() as AddressInfo).port);
    server.on('connection', (socket) => broker.serve(socket));
    t.teardown(() => server.close());
    return broker;
  }

  private serve(socket: Socket): void {
    this.connections++;
    const parser = mqttPacket.parser({ protocolVersion: 4 });
    parser.on('packet', (packet: Packet) => {
      if (packet.cmd === 'connect')
        socket.write(mqttPacket.generate({ cmd: 'connack', returnCode: 0, sessionPresent: true }));
      if (packet.cmd !== 'publish') return;
      this.published.push(packet);
      if (this.confirms) socket.write(mqttPacket.generate({ cmd: 'puback', messageId: packet.messageId! }));
    });
    socket.on('data', (bytes) => parser.parse(bytes)).on('error', () => {});
  }
}

t.test('MQTT link: what the broker has not confirmed is sent again', async (t) => {
  const broker = await SlowBroker.start(t);
  const [api, mesh] = (await freePorts(2)) as [number, number];
  const folder = t.testdir({
    'm.lua': `
function on_connect(id, conn)
  if mix.store.get("sent") == nil then
    mix.store.set("sent", true)
    conn:send({ topic = "news", payload = "once", qos = 1 })
  end
end
`,
  });
  const file = join(folder, 'x.yaml');
  writeFileSync(
    file,
    `
engine:
  name: kept
  apiServer: { port: ${api} }
  meshPoint: { port: ${mesh} }
  links: [{ name: up, mqtt: { url: "mqtt://127.0.0.1:${broker.port}" }, entry: ${folder}/m.lua }]
store: { path: ${folder}/data }
`,
  );
  const gateway = await Restarting.start(t, file);
  await eventually('it is published', () => broker.published.length === 1);
  await gateway.restart();
  await eventually('it is published again', () => broker.published.length === 2);
  t.equal(broker.connections, 2);
  const [first, second] = broker.published as [IPublishPacket, IPublishPacket];
  t.same(
    [second.topic, String(second.payload), second.messageId, second.dup],
    ['news', 'once', first.messageId, true],
  );
});
