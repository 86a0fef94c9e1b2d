/** TCP segments and UDP datagrams in captured packets: link layers, IPv4 (RFC 791), IPv6 (RFC 8200). */

import type { Packet } from './pcap.js';

/** What one packet carries. */
export interface Segment {
  transport: 'tcp' | 'udp';
  /** `address:port` of each end. */
  from: string;
  to: string;
  fromPort: number;
  toPort: number;
  bytes: Buffer;
  /** TCP only; zero for UDP. */
  sequence: number;
  syn: boolean;
  ack: boolean;
  fin: boolean;
  rst: boolean;
}

/** Bytes before the network layer's protocol number, and where that number is; by LINKTYPE_ number. */
const LINKS: Record<number, { header: number; protocol?: number }> = {
  0: { header: 4 },
  1: { header: 14, protocol: 12 },
  12: { header: 0 },
  101: { header: 0 },
  108: { header: 4 },
  113: { header: 16, protocol: 14 },
  276: { header: 20, protocol: 0 },
};
const VLAN_TAGS = [0x8100, 0x88a8];
const IP_PROTOCOLS = [0x0800, 0x86dd];
const TCP = 6;
const UDP = 17;
/** Extension headers of IPv6 that say their own length: hop-by-hop, routing, destination options. */
const EXTENSIONS = [0, 43, 60];
const FRAGMENT = 44;

/** The segment of a packet, or in words why there is none to use. */
export function segmentOf({ linkType, bytes }: Packet): Segment | string {
  try {
    const link = LINKS[linkType];
    if (!link) return `link type ${linkType}`;
    let { header } = link;
    if (link.protocol !== undefined) {
      let protocol = bytes.readUInt16BE(link.protocol);
      while (VLAN_TAGS.includes(protocol)) {
        protocol = bytes.readUInt16BE(header + 2);
        header += 4;
      }
      if (!IP_PROTOCOLS.includes(protocol)) return 'not IP';
    }
    return network(bytes.subarray(header));
  } catch (error) {
    if (error instanceof RangeError) return 'cut short';
    throw error;
  }
}

function network(ip: Buffer): Segment | string {
  const version = ip.readUInt8(0) >> 4;
  if (version === 4) {
    const header = (ip.readUInt8(0) & 0x0f) * 4;
    if ((ip.readUInt16BE(6) & 0x3fff) !== 0) return 'a fragment';
    const end = ip.readUInt16BE(2) || ip.length;
    if (end > ip.length) return 'cut short';
    const address = (at: number) => ip.subarray(at, at + 4).join('.');
    return transport(ip.readUInt8(9), address(12), address(16), ip.subarray(header, end));
  }
  if (version !== 6) return 'not IP';
  const end = 40 + ip.readUInt16BE(4);
  if (end > ip.length) return 'cut short';
  let next = ip.readUInt8(6);
  let at = 40;
  while (EXTENSIONS.includes(next)) {
    next = ip.readUInt8(at);
    at += 8 + 8 * ip.readUInt8(at + 1);
  }
  if (next === FRAGMENT) return 'a fragment';
  const address = (from: number) => {
    const groups = Array.from({ length: 8 }, (_, i) => ip.readUInt16BE(from + 2 * i).toString(16));
    return `[${groups.join(':')}]`;
  };
  return transport(next, address(8), address(24), ip.subarray(at, end));
}

function transport(protocol: number, source: string, target: string, bytes: Buffer): Segment | string {
  if (protocol !== TCP && protocol !== UDP) return 'neither TCP nor UDP';
  const [fromPort, toPort] = [bytes.readUInt16BE(0), bytes.readUInt16BE(2)];
  const ends = { from: `${source}:${fromPort}`, to: `${target}:${toPort}`, fromPort, toPort };
  if (protocol === UDP) {
    const end = Math.min(bytes.length, bytes.readUInt16BE(4));
    const none = { sequence: 0, syn: false, ack: false, fin: false, rst: false };
    return { ...ends, ...none, transport: 'udp', bytes: bytes.subarray(8, end) };
  }
  const flags = bytes.readUInt8(13);
  return {
    ...ends,
    transport: 'tcp',
    bytes: bytes.subarray((bytes.readUInt8(12) >> 4) * 4),
    sequence: bytes.readUInt32BE(4),
    syn: (flags & 0x02) !== 0,
    ack: (flags & 0x10) !== 0,
    fin: (flags & 0x01) !== 0,
    rst: (flags & 0x04) !== 0,
  };
}
