/**
 * Looks through MessagePack (github.com/msgpack/msgpack, spec.md) before msgpackr reads it: msgpackr has no limit on
 * nesting, and makes errors, sets, references, regular expressions and typed arrays out of extension types. Refuses
 * what is not one whole value, and every extension but the timestamp (-1).
 */
import { isUtf8 } from 'node:buffer';
import { MoonwireError } from '../errors.js';
import { MAX_DEPTH } from './plain.js';

const TIMESTAMP = -1;
/** The last second that a JavaScript date can hold. */
const MAX_SECONDS = 8.64e12;

/**
 * Whether the value has to be gone through once it is read: it holds 64-bit integers, timestamps, or a map with a key
 * that no object can have.
 * @throws MoonwireError `decode_error` with the offset of what is wrong.
 */
export function scanMsgpack(bytes: Uint8Array): { special: boolean } {
  return new Scan(bytes).run();
}

class Scan {
  private at = 0;
  private special = false;
  private readonly view: DataView;

  constructor(private readonly bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  run(): { special: boolean } {
    // Values to come in each array and map under way; in a map, keys are those at an even number.
    const left: number[] = [1];
    const maps: boolean[] = [false];
    while (left.length > 0) {
      const top = left.length - 1;
      if (left[top] === 0) {
        left.pop();
        maps.pop();
        continue;
      }
      const key = maps[top]! && left[top]! % 2 === 0;
      left[top]!--;
      const items = this.value(key);
      if (items === undefined) continue;
      if (top === MAX_DEPTH) throw this.bad(`nested deeper than ${MAX_DEPTH}`);
      const count = items.map ? items.count * 2 : items.count;
      if (count > this.bytes.length - this.at) throw this.bad('more items than bytes');
      left.push(count);
      maps.push(items.map);
    }
    if (this.at < this.bytes.length) throw this.bad('bytes after the end');
    return { special: this.special };
  }

  /** One value's head, and its content unless that is values, whose number is returned. */
  private value(key: boolean): { count: number; map: boolean } | undefined {
    const head = this.uint(1);
    const text = (head >= 0xa0 && head <= 0xbf) || (head >= 0xd9 && head <= 0xdb);
    if (key && !text) this.special = true;
    if (text) {
      this.text(head <= 0xbf ? head & 31 : this.uint(2 ** (head - 0xd9)), key);
      return undefined;
    }
    if (head <= 0x7f || head >= 0xe0) return undefined;
    if (head <= 0x8f) return { count: head & 15, map: true };
    if (head <= 0x9f) return { count: head & 15, map: false };
    if (head === 0xc0 || head === 0xc2 || head === 0xc3) return undefined;
    if (head === 0xc1) throw this.bad('c1 begins no value');
    if (head <= 0xc6) this.skip(this.uint(2 ** (head - 0xc4)));
    else if (head <= 0xc9) this.extension(this.uint(2 ** (head - 0xc7)));
    else if (head <= 0xcb) this.skip(head === 0xca ? 4 : 8);
    else if (head <= 0xd3) {
      const size = 2 ** ((head - 0xcc) % 4);
      if (size === 8) this.special = true;
      this.skip(size);
    } else if (head <= 0xd8) this.extension(2 ** (head - 0xd4));
    else return { count: this.uint(head % 2 === 0 ? 2 : 4), map: head >= 0xde };
    return undefined;
  }

  private text(length: number, key: boolean): void {
    this.skip(length);
    const content = this.bytes.subarray(this.at - length, this.at);
    if (!isUtf8(content)) throw this.bad('text is not UTF-8');
    // Keys such as __proto__ are none to set on an object.
    if (key && content[0] === 0x5f && content[1] === 0x5f) this.special = true;
  }

  private extension(length: number): void {
    const type = (this.uint(1) << 24) >> 24;
    if (type !== TIMESTAMP) throw this.bad(`extension type ${type} has no meaning`);
    this.special = true;
    const start = this.at;
    this.skip(length);
    if (length !== 4 && length !== 8 && length !== 12) throw this.bad('a timestamp of another size');
    if (length === 12 && Math.abs(Number(this.view.getBigInt64(start + 4))) > MAX_SECONDS)
      throw this.bad('a timestamp beyond any date');
  }

  private uint(size: number): number {
    this.skip(size);
    const from = this.at - size;
    if (size === 1) return this.view.getUint8(from);
    return size === 2 ? this.view.getUint16(from) : this.view.getUint32(from);
  }

  private skip(length: number): void {
    if (length > this.bytes.length - this.at) throw this.bad('ends too early');
    this.at += length;
  }

  private bad(problem: string): MoonwireError {
    return new MoonwireError('decode_error', `MessagePack at offset ${this.at}: ${problem}`);
  }
}
