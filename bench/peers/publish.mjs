// One publisher, a thousand subscribers: MQTT at QoS 0, the next message once all have the last.
import { generate } from 'mqtt-packet';
import { Crowd } from '../echo/clients.mjs';
import { PROTOCOLS } from '../echo/protocols.mjs';
import { startAll, stopAll } from './contestants.mjs';
import { measured, rounds, rowsOf } from './work.mjs';

const PATIENCE_MS = 10_000;
/** Devices that have logged in and subscribed to `down`. */
const MQTT = PROTOCOLS.find(({ idle }) => idle === 'MQTT');
const PACKET = generate({ cmd: 'publish', topic: 'down', payload: Buffer.alloc(100, 7), qos: 0 });

/** Rows of the brokers. */
export async function publishRows({ scale, names, note }) {
  const { subscribers, publishes } = scale;
  const servers = await startAll('mqtt', names);
  const crowds = new Map();
  try {
    for (const [name, { port }] of servers) {
      const crowd = new Crowd(port, MQTT);
      crowds.set(name, crowd);
      await crowd.grow(subscribers);
      await publish(crowd, 1).catch((error) => {
        throw new Error(`${name}, publish: ${error.message}`);
      });
    }
    note('publish: all deliver right; measuring');
    const round = (name) =>
      measured(servers.get(name), publishes * subscribers, () => publish(crowds.get(name), publishes));
    return rowsOf(await rounds([...servers.keys()], scale, round));
  } finally {
    await Promise.all([...crowds.values()].map((crowd) => crowd.close()));
    await stopAll(servers);
  }
}

/**
 * One of the clients publishes `count` messages, each once all clients, itself too, have the one before. Returns the
 * milliseconds from each publish to each delivery; rejects when one is not what was published, byte for byte.
 */
async function publish({ clients }, count) {
  const waits = new Float64Array(count * clients.length);
  for (let i = 0; i < count; i++) {
    let timer;
    await new Promise((resolve, reject) => {
      timer = setTimeout(reject, PATIENCE_MS, new Error('not all deliveries came'));
      let [delivered, began] = [0, 0];
      for (const client of clients) {
        client.due = PACKET.length;
        client.answered = (error, answer) => {
          client.answered = undefined;
          if (error) return reject(error);
          if (!answer.equals(PACKET)) return reject(new Error(`delivered ${answer.toString('hex')}`));
          waits[i * clients.length + delivered++] = performance.now() - began;
          if (delivered === clients.length) resolve();
        };
      }
      began = performance.now();
      clients[0].socket.write(PACKET);
    }).finally(() => clearTimeout(timer));
  }
  return waits;
}
