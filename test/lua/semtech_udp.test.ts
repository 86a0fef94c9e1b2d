import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import t from 'tap';
import { abuseProtocol } from '../support/abuse.js';
import { startTestEngine, until } from '../support/engine.js';
import { hex, unhex } from '../support/framing.js';
import { library } from '../support/library.js';
import { ProtocolUnderTest } from '../support/protocol.js';
import { vectors } from '../support/vectors.js';

interface Rxpk {
  payload: Uint8Array;
  lorawan: Record<string, unknown>;
}
interface Case {
  name: string;
  type: string;
  hex?: string;
  json?: { rxpk?: object[]; stat?: object; txpk?: object; txpk_ack?: { error: string } };
  expect: {
    stated: { token?: number; gateway_hex?: string };
    computed?: Record<string, unknown>;
  };
}
const cases = vectors<Case>('semtech_udp');
const semtech = new ProtocolUnderTest('protocols.semtech_udp');
const GATEWAY = 'aa555a0000000101';
const packet = (head: string, json: object | string) =>
  Buffer.concat([unhex(head), Buffer.from(typeof json === 'string' ? json : JSON.stringify(json))]);
const decode = (bytes: Uint8Array) => semtech.peer().decode(bytes);

t.test('headers', async (t) => {
  for (const { name, type, hex: digits, expect } of cases) {
    if (!digits) continue;
    const { messages, errors, replies } = decode(unhex(digits));
    t.strictSame(errors, [], name);
    const token = unhex(String(expect.computed!.token_bytes_hex)).readUInt16LE();
    t.match(messages[0], { type: type.toLowerCase(), version: expect.computed!.version, token }, name);
    t.equal(messages[0]?.device_id, expect.computed!.gateway_hex, name);
    if (expect.stated.token !== undefined) t.equal(token, expect.stated.token);
    const acknowledged = type === 'PUSH_DATA' ? '01' : type === 'PULL_DATA' ? '04' : undefined;
    const ack = acknowledged && digits.slice(0, 6) + acknowledged;
    t.strictSame(replies, ack ? [ack] : [], 'the token is echoed');
  }
});

t.test('documents', async (t) => {
  for (const { name, json, expect } of cases) {
    if (json?.rxpk) {
      const { messages } = decode(packet(`02123400${GATEWAY}`, json));
      const rxpk = messages[0]!.rxpk as Rxpk[];
      t.match(rxpk, json.rxpk, name);
      t.ok(
        rxpk.every(({ payload }) => payload.length > 0),
        'base64 of either alphabet, padded or not',
      );
      const { phy_hex, ...computed } = expect.computed ?? {};
      if (!phy_hex) continue;
      t.equal(hex(rxpk[0]!.payload), phy_hex);
      const { lorawan } = rxpk[0]!;
      t.equal(String(lorawan.message_type).replaceAll('_', ''), String(computed.mtype).toLowerCase(), name);
      const pairs = [
        ['dev_addr', 'dev_addr_hex'],
        ['frame_count', 'fcnt'],
        ['port', 'fport'],
        ['mic', 'mic_hex'],
        ['join_eui', 'join_eui_hex'],
        ['dev_eui', 'dev_eui_hex'],
        ['dev_nonce', 'dev_nonce'],
      ] as const;
      for (const [ours, theirs] of pairs) t.equal(lorawan[ours], computed[theirs], `${name}: ${ours}`);
    } else if (json?.stat) {
      const [message] = decode(packet(`02000000${GATEWAY}`, json)).messages;
      t.match(message, {
        stat: json.stat,
        device_id: GATEWAY,
        latitude: 46.24,
        longitude: 3.2523,
        altitude: 145,
      });
      t.equal(message!.time, Date.UTC(2014, 0, 12, 8, 59, 28) / 1000);
    } else if (json?.txpk) {
      t.match(decode(packet('02000003', json)).messages, [{ type: 'pull_resp', txpk: json.txpk }], name);
    } else if (json?.txpk_ack) {
      t.match(decode(packet(`02000005${GATEWAY}`, json)).messages, [{ error: json.txpk_ack.error }], name);
    }
  }
});

t.test('what is wrong or impossible', async (t) => {
  const refused: [Uint8Array, RegExp][] = [
    [unhex('0200'), /too short/],
    [unhex('03000000'), /version 3/],
    [unhex('02000009'), /unknown identifier 9/],
    [unhex('0200000201'), /too short for a gateway/],
    [packet(`02000000${GATEWAY}`, ''), /no JSON/],
    [packet(`02000000${GATEWAY}`, '{'), /decode_error/],
    [packet(`02000000${GATEWAY}`, '7'), /no JSON object/],
  ];
  for (const [bytes, message] of refused) t.match(decode(bytes), { errors: [message], messages: [] });
  const odd = { rxpk: [7, { data: '!' }, {}], stat: { time: '2014-02-30 00:00:00 GMT', lati: 91, long: 0 } };
  const [message] = decode(packet(`02000000${GATEWAY}`, odd)).messages;
  t.strictSame([message!.time, message!.latitude, message!.longitude], [undefined, undefined, undefined]);
  const nowhere = { stat: { time: 'x', lati: 0, long: 0 } };
  t.equal(decode(packet(`02000000${GATEWAY}`, nowhere)).messages[0]!.latitude, undefined);
  const quoted = { stat: { lati: '31.5', long: '-121.25', alti: '30.0' } };
  t.match(decode(packet(`02000000${GATEWAY}`, quoted)).messages, [
    { latitude: 31.5, longitude: -121.25, altitude: 30 },
  ]);
  abuseProtocol(
    t,
    semtech,
    cases.map(({ hex: digits, json }) => (digits ? unhex(digits) : packet(`02000000${GATEWAY}`, json!))),
  );
});

t.test('downlinks', async (t) => {
  const peer = semtech.peer();
  const bytes = unhex(
    peer.encode('{ type = "pull_resp", txpk = { imme = true, freq = 868.1, payload = "\\0abc" } }'),
  );
  t.equal(hex(bytes.subarray(0, 4)), '02010003');
  t.strictSame(JSON.parse(bytes.subarray(4).toString()), {
    txpk: { imme: true, freq: 868.1, data: 'AGFiYw==', size: 4 },
  });
  t.match(peer.encode('{ type = "pull_resp", txpk = { freq = 1 } }'), /needs its payload/);
  t.match(peer.encode('{}'), /only \{ type = "pull_resp"/);
});

t.test('entry.semtech_udp: pushes are acknowledged and reported', async (t) => {
  const engine = await startTestEngine(
    library,
    'servers: [{ name: u, port: 0, bind: 127.0.0.1, transport: udp, entry: entry.semtech_udp.lua }]',
  );
  t.teardown(() => engine.stop());
  const socket = createSocket('udp4');
  t.teardown(() => socket.close());
  const { json } = cases.find(({ name }) => name.includes('gateway log) #6'))!;
  socket.send(packet(`02abcd00${GATEWAY}`, json!), engine.port(), '127.0.0.1');
  const [ack] = await once(socket, 'message');
  t.equal(hex(ack), '02abcd01');
  socket.send(unhex(`02123402${GATEWAY}`), engine.port(), '127.0.0.1');
  t.equal(hex((await once(socket, 'message'))[0]), '02123404');
  await until(() => engine.reports.length > 0);
  t.match(engine.reports, [{ deviceId: GATEWAY, values: { device: 'a1b20003', rssi: -31 } }]);
});
