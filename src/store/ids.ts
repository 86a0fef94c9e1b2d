/**
 * Client ids (design §9): 20 bits of node, 33 bits of sequence, together a whole number below 2^53. Sequences are
 * reserved on disk in blocks before they are used, so none comes twice, whatever ends the process.
 */

import { MoonwireError, messageOf } from '../errors.js';
import type { Logger } from '../log.js';
import type { KeyValue } from './keyvalue.js';

/** Most nodes; node 0 never had a lease. */
export const NODES = 2 ** 20;
/** Most sequences of a node. */
export const SEQUENCES = 2 ** 33;
/** Sequences reserved at a time. */
export const BLOCK = 65_536;

const KEY = 'sequence';

/** The id of the client with `sequence` (0 to 2^33-1) on `node` (0 to 2^20-1). */
export function clientId(node: number, sequence: number): number {
  return node * SEQUENCES + sequence;
}

/** The node in a client id. */
export function nodeOf(id: number): number {
  return Math.floor(id / SEQUENCES);
}

/** A client id as Lua, events and the API write it. */
export function formatClientId(id: number): string {
  return id.toFixed(0);
}

/** Reads a client id from its decimal text or a number; undefined when it is neither or out of range. */
export function parseClientId(value: unknown): number | undefined {
  if (typeof value === 'string' && !/^(0|[1-9]\d{0,15})$/.test(value)) return undefined;
  const id = typeof value === 'string' || typeof value === 'number' ? Number(value) : Number.NaN;
  return Number.isSafeInteger(id) && id >= 0 ? id : undefined;
}

/** Gives out sequences. */
export class Sequences {
  private constructor(
    private readonly map: KeyValue,
    private readonly log: Logger,
    /** The next one to give out. */
    private next: number,
    /** Those below are reserved, or about to be. */
    private reserved: number,
  ) {}

  /**
   * Begins behind everything that was ever reserved, and reserves the first block. While the disk refuses it goes
   * on without: a gateway that serves its devices is worth more, and the store's health tells.
   */
  static async open(map: KeyValue, log: Logger): Promise<Sequences> {
    const start = decode(map.get(KEY));
    const sequences = new Sequences(map, log, start, start);
    await sequences.reserve();
    return sequences;
  }

  /** The next sequence, never given out before. Throws `overloaded` when all 2^33 are used. */
  nextSequence(): number {
    if (this.next >= SEQUENCES) throw new MoonwireError('overloaded', 'all client ids of this node are used');
    // Half a block ahead: the reservation is on disk long before it is needed.
    if (this.next === this.reserved - BLOCK / 2) void this.reserve();
    return this.next++;
  }

  private async reserve(): Promise<void> {
    this.reserved += BLOCK;
    try {
      await this.map.set(KEY, encode(this.reserved));
    } catch (error) {
      this.log.error('client ids could not be reserved on disk', { reason: messageOf(error) });
    }
  }
}

/** 8 bytes, big endian: always the same length, so a full store can still take the next one. */
function encode(sequence: number): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(sequence));
  return bytes;
}

function decode(bytes: Uint8Array | undefined): number {
  return bytes?.length === 8 ? Number(Buffer.from(bytes).readBigUInt64BE()) : 0;
}
