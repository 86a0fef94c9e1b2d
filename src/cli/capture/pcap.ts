/** Packets of pcap files (draft-ietf-opsawg-pcap) and pcapng files (draft-ietf-opsawg-pcapng). */

import type { ByteSource } from './byte-source.js';

/** A captured packet. */
export interface Packet {
  /** LINKTYPE_ number of the interface. */
  linkType: number;
  /** Unix seconds; absent where the capture has no time. */
  time?: number;
  bytes: Buffer;
}

/** Largest packet or block, in bytes: twice the largest snapshot length that tools use. */
const MAX_BLOCK = 524_288;

/** What the first four bytes of a pcap file say: byte order, and what a second has in its fractions. */
const PCAP_MAGICS = new Map<number, { little: boolean; unit: number }>([
  [0xa1b2c3d4, { little: false, unit: 1e6 }],
  [0xd4c3b2a1, { little: true, unit: 1e6 }],
  [0xa1b23c4d, { little: false, unit: 1e9 }],
  [0x4d3cb2a1, { little: true, unit: 1e9 }],
]);
const PCAPNG_MAGIC = 0x0a0d0d0a;

/** Whether a file that begins with these four bytes is one of either kind. */
export function isPacketCapture(head: Buffer): boolean {
  if (head.length < 4) return false;
  const magic = head.readUInt32BE(0);
  return magic === PCAPNG_MAGIC || PCAP_MAGICS.has(magic);
}

/** All packets, in order. Throws MoonwireError naming the place where the file is damaged. */
export async function* packetsOf(source: ByteSource): AsyncGenerator<Packet> {
  const magic = (await source.need(4)).readUInt32BE(0);
  const format = PCAP_MAGICS.get(magic);
  if (format) yield* pcapPackets(source, format.little, format.unit);
  else if (magic === PCAPNG_MAGIC) yield* pcapngPackets(source);
  else source.fail('neither pcap nor pcapng');
}

async function* pcapPackets(source: ByteSource, little: boolean, unit: number): AsyncGenerator<Packet> {
  const u32 = reader(little);
  const linkType = u32(await source.need(20), 16) & 0xffff;
  for (;;) {
    const header = await source.take(16);
    if (!header) return;
    const length = checked(source, u32(header, 8));
    yield { linkType, time: u32(header, 0) + u32(header, 4) / unit, bytes: await source.need(length) };
  }
}

/** The byte order of the current section and its interfaces. */
interface Section {
  little: boolean;
  interfaces: { linkType: number; unit: number }[];
}

/** Most interfaces of a section. */
const MAX_INTERFACES = 1000;

async function* pcapngPackets(source: ByteSource): AsyncGenerator<Packet> {
  let section = await readSection(source);
  for (;;) {
    const type = await source.take(4);
    if (!type) return;
    // The type of a section header reads the same in both byte orders.
    if (type.readUInt32BE(0) === PCAPNG_MAGIC) {
      section = await readSection(source);
      continue;
    }
    const u32 = reader(section.little);
    const length = checked(source, u32(await source.need(4), 0), 12);
    const body = (await source.need(length - 8)).subarray(0, length - 12);
    const packet = readBlock(source, section, u32(type, 0), body);
    if (packet) yield packet;
  }
}

/** Reads the rest of a section header, behind its type. */
async function readSection(source: ByteSource): Promise<Section> {
  const head = await source.need(8);
  const little = head.readUInt32LE(4) === 0x1a2b3c4d;
  if (!little && head.readUInt32BE(4) !== 0x1a2b3c4d)
    source.fail('a section header without byte-order magic');
  const length = checked(source, reader(little)(head, 0), 28);
  await source.need(length - 12);
  return { little, interfaces: [] };
}

function readBlock(source: ByteSource, section: Section, type: number, body: Buffer): Packet | undefined {
  const u32 = reader(section.little);
  if (type === 1) {
    if (body.length < 8) source.fail('an interface description shorter than 8 bytes');
    if (section.interfaces.length >= MAX_INTERFACES) source.fail(`more than ${MAX_INTERFACES} interfaces`);
    section.interfaces.push({ linkType: u16(body, section), unit: timeUnit(body, section) });
    return undefined;
  }
  if (type !== 6) return undefined;
  if (body.length < 20) source.fail('a packet block shorter than 20 bytes');
  const from =
    section.interfaces[u32(body, 0)] ?? source.fail('a packet of an interface that was not described');
  const length = u32(body, 12);
  if (length > body.length - 20) source.fail(`a packet of ${length} bytes in a block of ${body.length}`);
  const time = (u32(body, 4) * 2 ** 32 + u32(body, 8)) / from.unit;
  return { linkType: from.linkType, time, bytes: body.subarray(20, 20 + length) };
}

/** Fractions of a second in the interface's times: option 9 (if_tsresol), a power of ten, or of two with the top bit. */
function timeUnit(body: Buffer, section: Section): number {
  for (let at = 8; at + 4 <= body.length; ) {
    const code = u16(body, section, at);
    const length = u16(body, section, at + 2);
    const exponent = body[at + 4];
    if (code === 0) break;
    if (code === 9 && exponent !== undefined)
      return exponent & 0x80 ? 2 ** (exponent & 0x7f) : 10 ** exponent;
    at += 4 + Math.ceil(length / 4) * 4;
  }
  return 1e6;
}

function u16(body: Buffer, { little }: Section, at = 0): number {
  return little ? body.readUInt16LE(at) : body.readUInt16BE(at);
}

function reader(little: boolean): (bytes: Buffer, at: number) => number {
  return (bytes, at) => (little ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at));
}

function checked(source: ByteSource, length: number, least = 0): number {
  if (length >= least && length <= MAX_BLOCK) return length;
  return source.fail(`a length of ${length} bytes; ${least} to ${MAX_BLOCK} are allowed`);
}
