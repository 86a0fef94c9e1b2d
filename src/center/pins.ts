/** Which key each engine's name belongs to, and the node number it leases; durable (design §9 "Join"). */

import { MoonwireError } from '../errors.js';
import { NODES } from '../store/ids.js';
import type { KeyValue } from '../store/keyvalue.js';

const KEY_BYTES = 32;
const NODE_BYTES = 4;
/** No name of an engine begins like this. */
const NEXT_KEY = '#next';

/** How far beyond the numbers given out here a wish may lie: numbers are not to be used up by one. */
const WISH_RANGE = 65_536;

/** A name, and what belongs to it. */
export interface Pin {
  readonly name: string;
  /** Ed25519 public key, 32 bytes. */
  readonly key: Uint8Array;
  /** Node number, 1 to 2^20-1. */
  readonly node: number;
}

/**
 * The pins. A node number is given once: not even a removed pin's is given again, since the client ids made with it
 * would come again with another engine.
 */
export class Pins {
  private readonly byName = new Map<string, Pin>();
  private readonly byKey = new Map<string, Pin>();
  private readonly nodes = new Set<number>();
  /** No number from here on was given out by us, though engines may have brought one. */
  private next: number;

  /** Reads what was kept. `maxPins`: most names, so that joins without a token cannot fill the store. */
  constructor(
    private readonly values: KeyValue,
    private readonly maxPins = 10_000,
  ) {
    for (const name of values.keys()) {
      const value = values.get(name)!;
      if (name === NEXT_KEY || value.length !== NODE_BYTES + KEY_BYTES) continue;
      this.add({ name, node: readNode(value), key: Uint8Array.from(value.subarray(NODE_BYTES)) });
    }
    const next = values.get(NEXT_KEY);
    this.next = next?.length === NODE_BYTES ? readNode(next) : 1;
  }

  get size(): number {
    return this.byName.size;
  }

  named(name: string): Pin | undefined {
    return this.byName.get(name);
  }

  ofKey(key: Uint8Array): Pin | undefined {
    return this.byKey.get(keyText(key));
  }

  list(): Iterable<Pin> {
    return this.byName.values();
  }

  /**
   * Pins a name that is free to a key, in memory at once; a key that has another name keeps its node number and
   * loses that name. `wish`: the number it says it has, granted when it was never given out here. Resolves when it
   * is on disk; rejects with `overloaded` when the disk refuses, there are too many pins, or no numbers are left.
   */
  async pin(name: string, key: Uint8Array, wish?: number): Promise<Pin> {
    const known = this.ofKey(key);
    if (!known && this.byName.size >= this.maxPins) {
      throw new MoonwireError('overloaded', `${this.maxPins} engines are known, the most allowed`);
    }
    const node = known?.node ?? this.lease(wish);
    const pin = { name, key: Uint8Array.from(key), node };
    if (known) this.drop(known);
    this.add(pin);
    const value = Buffer.alloc(NODE_BYTES + KEY_BYTES);
    value.writeUInt32BE(node);
    value.set(key, NODE_BYTES);
    await Promise.all([
      this.values.set(NEXT_KEY, nodeBytes(this.next)),
      this.values.set(name, value),
      known && this.values.delete(known.name),
    ]);
    return pin;
  }

  /** Forgets a name, so that another key may take it. False when there is none. Otherwise as `pin`. */
  async remove(name: string): Promise<boolean> {
    const pin = this.byName.get(name);
    if (!pin) return false;
    this.drop(pin);
    this.next = Math.max(this.next, pin.node + 1);
    await Promise.all([this.values.set(NEXT_KEY, nodeBytes(this.next)), this.values.delete(name)]);
    return true;
  }

  private lease(wish: number | undefined): number {
    if (wish !== undefined && this.isGrantable(wish)) return wish;
    while (this.nodes.has(this.next)) this.next++;
    if (this.next >= NODES) throw new MoonwireError('overloaded', 'all node numbers were given out');
    return this.next++;
  }

  private isGrantable(wish: number): boolean {
    return wish >= this.next && wish < Math.min(NODES, this.next + WISH_RANGE) && !this.nodes.has(wish);
  }

  private add(pin: Pin): void {
    this.byName.set(pin.name, pin);
    this.byKey.set(keyText(pin.key), pin);
    this.nodes.add(pin.node);
  }

  private drop(pin: Pin): void {
    this.byName.delete(pin.name);
    this.byKey.delete(keyText(pin.key));
    this.nodes.delete(pin.node);
  }
}

function keyText(key: Uint8Array): string {
  return Buffer.from(key).toString('base64');
}

function readNode(bytes: Uint8Array): number {
  return Buffer.from(bytes).readUInt32BE();
}

function nodeBytes(node: number): Uint8Array {
  const bytes = Buffer.alloc(NODE_BYTES);
  bytes.writeUInt32BE(node);
  return bytes;
}
