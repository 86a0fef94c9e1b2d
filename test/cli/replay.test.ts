import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { moonwire, ROOT } from '../support/cli.js';

const GT06 = 'protocols.gt06';
const LINE = 'protocols.line';
const LOGIN = '78780d0103534190360660610003c3df0d0a';

const folder = mkdtempSync(join(tmpdir(), 'moonwire-replay-'));
t.teardown(() => rmSync(folder, { recursive: true }));

function capture(name: string, content: Uint8Array | string): string {
  const file = join(folder, name);
  writeFileSync(file, content);
  return file;
}

const u8 = (...values: number[]) => Buffer.from(values);
const be16 = (n: number) => u8(n >> 8, n & 0xff);
const be32 = (n: number) => Buffer.concat([be16(n >>> 16), be16(n & 0xffff)]);
const le32 = (n: number) => Buffer.from(be32(n)).reverse();

interface Tcp {
  from: number;
  to: number;
  seq: number;
  flags?: number;
  text?: string;
}

const tcp = ({ from, to, seq, flags = 0x10, text = '' }: Tcp) =>
  Buffer.concat([
    be16(from),
    be16(to),
    be32(seq),
    be32(0),
    u8(0x50, flags),
    Buffer.alloc(6),
    Buffer.from(text),
  ]);

const udp = (from: number, to: number, text: string) =>
  Buffer.concat([be16(from), be16(to), be16(8 + text.length), be16(0), Buffer.from(text)]);

const ipv4 = (protocol: number, payload: Buffer) =>
  Buffer.concat([
    u8(0x45, 0),
    be16(20 + payload.length),
    u8(0, 0, 0, 0, 64, protocol, 0, 0),
    u8(10, 0, 0, 1),
    u8(10, 0, 0, 2),
    payload,
  ]);

const ipv6 = (next: number, payload: Buffer) =>
  Buffer.concat([u8(0x60, 0, 0, 0), be16(payload.length), u8(next, 64), Buffer.alloc(32, 1), payload]);

/** On Ethernet, which pads short packets. */
const ethernet = (type: number, payload: Buffer) =>
  Buffer.concat([Buffer.alloc(12), be16(type), payload, Buffer.alloc(Math.max(0, 46 - payload.length))]);

function pcap(packets: Buffer[], { linkType = 1, n = le32, magic = 0xa1b2c3d4 } = {}): Buffer {
  const records = packets.map((packet, i) =>
    Buffer.concat([n(1_700_000_000 + i), n(500_000), n(packet.length), n(packet.length), packet]),
  );
  return Buffer.concat([n(magic), Buffer.alloc(16), n(linkType), ...records]);
}

function pcapng(packets: Buffer[], linkType: number): Buffer {
  const block = (type: number, body: Buffer) => {
    const padded = Buffer.concat([body, Buffer.alloc(-body.length & 3)]);
    return Buffer.concat([le32(type), le32(padded.length + 12), padded, le32(padded.length + 12)]);
  };
  const nanoseconds = u8(9, 0, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0);
  return Buffer.concat([
    block(0x0a0d0d0a, Buffer.concat([le32(0x1a2b3c4d), u8(1, 0, 0, 0), Buffer.alloc(8, 0xff)])),
    block(1, Buffer.concat([u8(linkType, 0, 0, 0), le32(0), nanoseconds])),
    block(5, Buffer.alloc(12)),
    ...packets.map((packet) => {
      const time = 1_700_000_000_500_000_000n;
      const head = [le32(0), le32(Number(time >> 32n)), le32(Number(time & 0xffffffffn))];
      return block(6, Buffer.concat([...head, le32(packet.length), le32(packet.length), packet]));
    }),
  ]);
}

/** The texts of the messages, in order. */
const texts = (stdout: string) => [...stdout.matchAll(/message .*"text":"(.*?)"/g)].map((match) => match[1]);

t.test('hex lines with times and directions', async (t) => {
  const file = capture(
    'a.hex',
    `# a tracker\n2024-05-01T12:00:00.250Z < 00${LOGIN.slice(0, 10)}\n${LOGIN.slice(10)} # rest\n1714564801.5 > 7878\n< 7878\n`,
  );
  const { code, stdout, stderr } = await moonwire(['replay', file, GT06]);
  t.equal(code, 0, stderr);
  const parts = [
    '== connection 1\n2024-05-01T12:00:00.250Z < 6 bytes',
    '  discarded 1 bytes (noise)\n    0000  00 ',
    '  frame 18 bytes\n    0000  78 78 0d 01 03 53 41 90 36 06 60 61 00 03 c3 df  xx...SA.6.`a....\n    0010  0d 0a ',
    '    message {"type":"login"',
    '    reply 10 bytes\n    0000  78 78 05 01 00 03',
    '2024-05-01T12:00:01.500Z > 2 bytes\n  0000  78 78 ',
    '  discarded 2 bytes (timeout)',
    '\n1 connections, 1 frames, 1 messages, 1 replies, 0 errors, 3 bytes discarded, 0 bytes lost\n',
  ];
  let at = 0;
  for (const part of parts) {
    const found = stdout.indexOf(part, at);
    t.ok(found >= 0, part, { stdout });
    at = found;
  }
});

t.test('TCP comes in the order of its sequence numbers, connection by connection', async (t) => {
  const base = 0xfffffff0;
  const at = (offset: number) => (base + offset) >>> 0;
  const device = { from: 40000, to: 5000 };
  const gateway = { from: 5000, to: 40000 };
  const segments: Tcp[] = [
    { ...device, seq: at(0), flags: 0x02 },
    { ...gateway, seq: 100, flags: 0x12 },
    { ...device, seq: at(12), text: 'second 2\n' },
    { ...device, seq: at(1), text: 'first line\n' },
    { ...device, seq: at(1), text: 'first line\n' },
    { from: 41000, to: 5000, seq: 7, text: 'other\n' },
    { ...gateway, seq: 101, text: 'answer' },
    { ...device, seq: at(18), text: ' 2\nthird\n' },
    { ...device, seq: at(40), text: 'after a gap\n' },
    { ...device, seq: at(52), flags: 0x11 },
    { ...gateway, seq: 107, flags: 0x11 },
    { ...device, seq: at(53) },
    { ...device, seq: 5, flags: 0x02 },
    { ...device, seq: 6, text: 'again\n' },
    { from: 40000, to: 6000, seq: 1, text: 'elsewhere\n' },
  ];
  const packets = segments.map((segment) => ethernet(0x0800, ipv4(6, tcp(segment))));
  packets.push(ethernet(0x0806, Buffer.alloc(28)));
  const variants = {
    little: pcap(packets),
    big: pcap(packets, { n: be32 }),
    vlan: pcap(packets.map((p) => Buffer.concat([p.subarray(0, 12), be16(0x8100), be16(1), p.subarray(12)]))),
  };
  for (const [name, bytes] of Object.entries(variants)) {
    const file = capture(`${name}.pcap`, bytes);
    const { code, stdout, stderr } = await moonwire(['replay', file, LINE, '--port', '5000']);
    t.equal(code, 0, stderr);
    t.strictSame(texts(stdout), ['first line', 'second 2', 'other', 'third', 'after a gap', 'again'], name);
    t.match(
      stdout,
      '== connection 1 tcp 10.0.0.1:40000 - 10.0.0.2:5000\n2023-11-14T22:13:23.500Z < 11 bytes',
    );
    t.match(stdout, '> 6 bytes\n  0000  61 6e 73 77 65 72');
    t.match(stdout, '< the capture lacks 13 bytes');
    t.match(stdout, '3 connections, 6 frames');
    t.match(stdout, 'passed over 1 packets: another port\npassed over 1 packets: not IP\n');
  }
});

t.test('UDP of pcapng over IPv6, the device being asked', async (t) => {
  const packets = [ipv6(17, udp(9000, 502, 'poll')), ipv6(17, udp(502, 9000, 'one\ntwo'))];
  const file = capture('a.pcapng', pcapng(packets, 101));
  const { code, stdout, stderr } = await moonwire(['replay', file, LINE, '--device-port', '502']);
  t.equal(code, 0, stderr);
  t.match(stdout, /:502 - .*:9000\n2023-11-14T22:13:20\.500Z > 4 bytes/);
  t.strictSame(texts(stdout), ['one', 'two']);
});

t.test('damaged captures are one clear sentence', async (t) => {
  const good = pcap([ethernet(0x0800, ipv4(17, udp(1, 2, 'text')))]);
  const huge = Buffer.from(good);
  huge.writeUInt32LE(0xffffffff, 32);
  const ng = pcapng([ipv4(17, udp(1, 2, 'x'))], 101);
  const wrong = Buffer.from(ng);
  wrong.writeUInt32LE(5, 28 + 4);
  for (const [name, bytes, problem] of [
    ['cut.pcap', good.subarray(0, -3), /at byte 40: the file ends in the middle of 60 bytes/],
    ['header.pcap', good.subarray(0, 10), /at byte 4: the file ends/],
    ['huge.pcap', huge, /a length of 4294967295 bytes; 0 to 524288/],
    ['magic.pcapng', Buffer.concat([ng.subarray(0, 8), Buffer.alloc(40)]), /without byte-order magic/],
    ['block.pcapng', wrong, /a length of 5 bytes; 12 to/],
    ['bad.hex', '7878\n78 7x\n', /bad\.hex:2: not a line of/],
    ['date.hex', '2024-13-01T00:00:00Z < 00\n', /date\.hex:1: not a line of/],
  ] as const) {
    const { code, stderr } = await moonwire(['replay', capture(name, bytes), LINE]);
    t.equal(code, 1, name);
    t.match(stderr, problem, name);
    t.notMatch(stderr, /\n\s+at /, 'no stack');
  }
  for (const path of [join(folder, 'nowhere'), folder]) {
    const { code, stderr } = await moonwire(['replay', path, LINE]);
    t.equal(code, 1, path);
    t.match(stderr, /^moonwire: cannot read .*\n$/);
  }
  const short = pcap([ethernet(0x0800, ipv4(6, u8(1, 2)))]);
  t.match(
    (await moonwire(['replay', capture('short.pcap', short), LINE])).stdout,
    'passed over 1 packets: cut short',
  );
});

t.test('a reader that has read enough ends it quietly', async (t) => {
  const file = capture('long.hex', '610a\n'.repeat(20_000));
  const command = `unset NODE_OPTIONS; "${process.execPath}" dist/cli.js replay "${file}" ${LINE} | head -1`;
  const { stdout, stderr } = spawnSync('sh', ['-c', command], { cwd: ROOT, encoding: 'utf8' });
  t.equal(stdout, '== connection 1\n');
  t.equal(stderr, '');
});
