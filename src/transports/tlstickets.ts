/**
 * Keys of session tickets (RFC 5077; RFC 8446, 4.6.1). A ticket is a session that the server hands out encrypted and
 * takes back; so whoever has the key can resume it. The keys follow from a seed and the day: nodes that share the seed
 * resume each other's sessions without speaking to each other.
 */

import { hkdfSync } from 'node:crypto';

/** The day of a time in milliseconds since 1970: `2026-11-21`, in UTC. */
export function dayOf(time: number): string {
  return new Date(time).toISOString().slice(0, 10);
}

/** The keys of a day by HKDF with SHA-256 (RFC 5869): 48 bytes, as `ticketKeys` of node:tls wants them. */
export function ticketKeys(seed: string | Uint8Array, day: string): Buffer {
  return Buffer.from(hkdfSync('sha256', seed, '', `moonwire session tickets ${day}`, 48));
}
