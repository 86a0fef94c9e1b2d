import { readFileSync } from 'node:fs';
import t from 'tap';
import { crc } from '../../src/bytes/crc.js';
import { framer } from '../../src/bytes/framers.js';
import { feed, hex, splits, unhex } from '../support/framing.js';
import { random } from '../support/random.js';

const withCrc = (digits: string) => {
  const value = Number(crc('CRC-16/MODBUS').compute(unhex(digits)));
  return `${digits}${hex(Uint8Array.of(value & 0xff, value >> 8))}`;
};
const client = framer('modbus_rtu', { side: 'client' });
const server = framer('modbus_rtu', { side: 'server' });

// One frame of each public function (Modbus Application Protocol V1.1b3, 6), from the specification's examples.
const REQUESTS = {
  '01 read coils': '010100130013',
  '02 read discrete inputs': '010200c40016',
  '03 read holding registers': '0103006b0003',
  '04 read input registers': '010400080001',
  '05 write coil': '010500acff00',
  '06 write register': '010600010003',
  '07 exception status': '0107',
  '08 diagnostics': '01080000a537',
  '0b event counter': '010b',
  '0c event log': '010c',
  '0f write coils': '010f0013000a02cd01',
  '10 write registers': '01100001000204000a0102',
  '11 server id': '0111',
  '14 read file record': '01140e0600040001000206000300090002',
  '15 write file record': '01150d0600040007000306af04be100d',
  '16 mask write': '0116000400f20025',
  '17 read/write registers': '011700030006000e00030600ff00ff00ff',
  '18 read FIFO': '011804de',
  '2b device identification': '012b0e0100',
};
const RESPONSES = {
  '01 read coils': '010103cd6b05',
  '02 read discrete inputs': '010203acdb35',
  '03 read holding registers': '010306022b00000064',
  '04 read input registers': '010402000a',
  '05 write coil': '010500acff00',
  '06 write register': '010600010003',
  '07 exception status': '01076d',
  '08 diagnostics': '01080000a537',
  '0b event counter': '010bffff0108',
  '0c event log': '010c080000010801212000',
  '0f write coils': '010f0013000a',
  '10 write registers': '011000010002',
  '11 server id': '01110405ff4142',
  '14 read file record': '01140c05060dfe0020050633cd0040',
  '15 write file record': '01150d0600040007000306af04be100d',
  '16 mask write': '0116000400f20025',
  '17 read/write registers': '01170c00fe0acd00010003000d00ff',
  '18 read FIFO': '01180006000201b81284',
  '2b device identification': '012b0e01010000030006436f6d70616e010450726f640203312e30',
  'an exception': '018302',
};

for (const [side, spec, frames] of [
  ['client', client, RESPONSES],
  ['server', server, REQUESTS],
] as const) {
  t.test(`every public function, received by a ${side}`, async (t) => {
    const rng = random(t);
    const wires = Object.values(frames).map((digits) => withCrc(digits));
    for (const [i, wire] of wires.entries()) {
      t.strictSame(
        feed(spec, [unhex(wire)]),
        { frames: [wire], discards: [], pending: 0 },
        Object.keys(frames)[i],
      );
    }
    for (const chunks of splits(unhex(wires.join('')), rng)) {
      t.strictSame(feed(spec, chunks).frames, wires, `${chunks.length} chunks`);
    }
  });
}

t.test('who only listens tells requests and responses apart by the CRC', async (t) => {
  const both = framer('modbus_rtu', { side: 'both' });
  const wires = [...Object.values(REQUESTS), ...Object.values(RESPONSES)].map((digits) => withCrc(digits));
  for (const chunks of splits(unhex(wires.join('')), random(t))) {
    t.strictSame(feed(both, chunks), { frames: wires, discards: [], pending: 0 });
  }
  const damaged = unhex(wires[0]!);
  damaged[3]! ^= 1;
  t.match(
    feed(both, [damaged, unhex(wires[1]!), null, null]),
    { frames: [wires[1]] },
    'and goes on behind a bad one',
  );
});

t.test('a function without a standard length ends with silence', async (t) => {
  const frame = withCrc('0141aabbccdd');
  for (const spec of [client, server]) {
    for (const chunks of splits(unhex(frame), random(t))) {
      t.strictSame(feed(spec, chunks), { frames: [], discards: [], pending: 8 });
      t.strictSame(feed(spec, [...chunks, null]), { frames: [frame], discards: [], pending: 0 });
    }
    const damaged = unhex(frame);
    damaged[3]! ^= 4;
    const nulls = Array<null>(8).fill(null);
    t.match(feed(spec, [damaged, ...nulls]), { frames: [], pending: 0 });
  }
});

t.test('noise that looks like an unknown function does not hold back what follows', async (t) => {
  const good = withCrc('0103020001');
  for (const chunks of splits(unhex(`7f55${good}`), random(t))) {
    const { frames, discards } = feed(client, chunks);
    t.strictSame(frames, [good]);
    t.strictSame(discards, [{ reason: 'noise', hex: '7f55' }]);
  }
});

t.test('lengths that cannot be are not waited for', async (t) => {
  const good = withCrc('0103020001');
  // Byte count 0xfc: 257 bytes; function 0; exception to function 0.
  for (const bad of ['0103fc', '0100', '0180']) {
    const { frames } = feed(client, [unhex(`${bad}${good}`), null]);
    t.strictSame(frames, [good], bad);
  }
  t.strictSame(
    feed(server, [unhex(`0183${withCrc('0111')}`), null]).frames,
    [withCrc('0111')],
    'no exception request',
  );
});

t.test('a flood of unknown functions is gone through once', async (t) => {
  const good = withCrc('0103020001');
  const flood = Buffer.concat([new Uint8Array(200_000).fill(0x55), unhex(good)]);
  const { frames } = feed(client, [flood]);
  t.strictSame(frames, [good]);
});

t.test('published frames', async (t) => {
  const { cases } = JSON.parse(readFileSync('test/vectors/modbus.json', 'utf8')) as {
    cases: {
      name: string;
      transport?: string;
      direction?: string;
      hex?: string;
      checksum?: { ok: boolean };
    }[];
  };
  const frames = cases.filter(
    (vector) => vector.transport === 'rtu' && vector.hex !== undefined && vector.checksum?.ok,
  );
  t.ok(frames.length > 30);
  for (const { name, direction, hex: digits } of frames) {
    const spec = direction === 'request' ? server : client;
    for (const chunks of splits(unhex(digits!), random({ comment() {} }))) {
      t.strictSame(feed(spec, chunks), { frames: [digits], discards: [], pending: 0 }, name);
    }
  }
});
