import t from 'tap';
import { abuseProtocol } from '../support/abuse.js';
import { splits, unhex } from '../support/framing.js';
import { ProtocolUnderTest } from '../support/protocol.js';
import { random } from '../support/random.js';
import { vectors } from '../support/vectors.js';

interface Case {
  name: string;
  hex: string;
  direction?: string;
  options?: { protocolVersion?: number };
  expect: { stated: { rejected?: string; packet?: { cmd: string; messageId?: number } } };
}
const cases = vectors<Case>('mqtt');
const mqtt = new ProtocolUnderTest('protocols.mqtt');
const CONNECT = '101000044d51545404020000000474657374';

t.test('packets of the vectors, cut from a stream', async (t) => {
  const rng = random(t);
  const good = cases.filter(
    ({ expect, options, direction }) => expect.stated.packet && !options && direction !== 'encode only',
  );
  const of3 = good.filter(({ expect }) => expect.stated.packet!.cmd !== 'connect');
  for (const chunks of splits(unhex(CONNECT + of3.map(({ hex }) => hex).join('')), rng)) {
    const { messages, errors, discarded } = mqtt.feed(chunks);
    t.strictSame([errors, discarded], [[], 0]);
    t.strictSame(
      messages.slice(1).map(({ type, messageId, device_id }) => [type, messageId, device_id]),
      of3.map(({ expect }) => [expect.stated.packet!.cmd, expect.stated.packet!.messageId, 'test']),
    );
  }
  for (const { name, hex, expect } of cases) {
    if (!expect.stated.rejected) continue;
    const { messages, errors, discarded } = mqtt.feed([unhex(hex), null]);
    if (messages.length === 0) t.ok(errors.length + discarded > 0, name);
  }
  abuseProtocol(
    t,
    mqtt,
    cases.map(({ hex }) => unhex(hex)),
  );
});

t.test('acknowledgements', async (t) => {
  const replies = (...packets: string[]) => mqtt.feed([unhex(packets.join(''))]).replies;
  t.strictSame(replies(CONNECT, 'c000'), ['d000'], 'ping');
  t.strictSame(replies(CONNECT, '30050001617878', '320700016100077878'), ['40020007'], 'QoS 0 and 1');
  t.strictSame(replies(CONNECT, '340700016100077878', '62020007'), ['50020007', '70020007'], 'QoS 2');
  const five = '101000044d5154540502003c032100140000';
  t.strictSame(replies(five, '32080001610007007878'), ['400400070000'], 'version 5: with its reason');
  t.equal(
    mqtt.peer().encode('{ type = "connack", returnCode = 0, sessionPresent = false, device_id = "x" }'),
    '20020000',
  );
  t.equal(mqtt.peer().encode('{ type = "publish", topic = "a", payload = "on", qos = 0 }'), '30050001616f6e');
  t.match(mqtt.peer().encode('{ type = "nope" }'), /invalid_argument: MQTT/);
  t.match(mqtt.peer().encode('7'), /a packet is a table/);
});
