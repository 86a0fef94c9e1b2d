/**
 * Looks through CBOR (RFC 8949) before cbor-x reads it. cbor-x has no limit on nesting, follows tags that make
 * regular expressions, references and record classes out of input, and does not read strings in pieces; so this
 * refuses what is not well-formed and leaves behind plain data items.
 */
import { isUtf8 } from 'node:buffer';
import { MoonwireError } from '../errors.js';
import { MAX_DEPTH } from './plain.js';

/** What a scan found. */
export interface Scanned {
  /** The same data item with strings in one piece, and of tags only bignums (2 and 3). */
  readonly bytes: Uint8Array;
  /** Some integers may be bigints, or some map keys are no text: the result has to be gone through. */
  readonly special: boolean;
}

/** Longest bignum in bytes. */
const MAX_BIGNUM = 64;
const INDEFINITE = 31;
const BREAK = 0xff;

/** @throws MoonwireError `decode_error` with the offset of what is wrong. */
export function scanCbor(bytes: Uint8Array): Scanned {
  return new Scan(bytes).run();
}

/** An array or map under way: items to come (Infinity: until a break), and whether they are keys and values. */
interface Open {
  left: number;
  readonly map: boolean;
  /** For a map: the next item is a key. */
  key: boolean;
}

class Scan {
  private at = 0;
  private special = false;
  /** Pieces of the result up to `copied`, where it differs from the input. */
  private readonly pieces: Uint8Array[] = [];
  private copied = 0;

  constructor(private readonly bytes: Uint8Array) {}

  run(): Scanned {
    const open: Open[] = [];
    let parent: Open | undefined;
    do {
      if (parent && this.bytes[this.at] === BREAK) {
        if (parent.left !== Number.POSITIVE_INFINITY || (parent.map && !parent.key))
          throw this.bad('a break out of place');
        this.at++;
        parent.left = 0;
      } else {
        const child = this.item(parent?.map === true && parent.key);
        if (parent) {
          parent.left--;
          parent.key = !parent.key;
        }
        if (child) {
          if (open.length === MAX_DEPTH) throw this.bad(`nested deeper than ${MAX_DEPTH}`);
          open.push(child);
        }
      }
      while (open.length > 0 && open[open.length - 1]!.left === 0) open.pop();
      parent = open[open.length - 1];
    } while (parent);
    if (this.at < this.bytes.length) throw this.bad('bytes after the end');
    if (this.pieces.length === 0) return { bytes: this.bytes, special: this.special };
    return {
      bytes: Buffer.concat([...this.pieces, this.bytes.subarray(this.copied)]),
      special: this.special,
    };
  }

  /** One data item's head, and its content unless that is items, which are returned as open. */
  private item(key: boolean): Open | undefined {
    const tagged = this.at;
    let start = tagged;
    let head = this.byte();
    while (head >> 5 === 6) {
      const tag = this.argument(head & 31);
      if (tag === undefined) throw this.bad('a tag without a number');
      if (tag === 2 || tag === 3) {
        this.replace(tagged, start);
        this.bignum();
        return undefined;
      }
      start = this.at;
      head = this.byte();
    }
    this.replace(tagged, start);
    const major = head >> 5;
    if (key && major !== 3) this.special = true;
    if (major === 7) {
      this.simple(head & 31);
      return undefined;
    }
    const value = this.argument(head & 31);
    switch (major) {
      case 0:
      case 1:
        if (value === undefined) throw this.bad('an integer without a value');
        if ((head & 31) === 27) this.special = true;
        return undefined;
      case 2:
      case 3:
        this.text(start, major, value);
        return undefined;
      default: {
        const left = value === undefined ? Number.POSITIVE_INFINITY : value * (major === 5 ? 2 : 1);
        if (value !== undefined && left > this.bytes.length - this.at)
          throw this.bad('more items than bytes');
        return { left, map: major === 5, key: true };
      }
    }
  }

  /** The bytes of a bignum, which stays as it is. */
  private bignum(): void {
    const content = this.at;
    if (this.bytes[content]! >> 5 !== 2) throw this.bad('a bignum without bytes');
    this.special = true;
    this.item(false);
    if (this.at - content > MAX_BIGNUM + 2) throw this.bad(`a bignum of more than ${MAX_BIGNUM} bytes`);
  }

  /** The content of a byte or text string. */
  private text(start: number, major: number, length: number | undefined): void {
    if (length !== undefined) {
      this.skip(length);
      if (major === 3 && !isUtf8(this.bytes.subarray(this.at - length, this.at)))
        throw this.bad('text is not UTF-8');
      return;
    }
    const parts: Uint8Array[] = [];
    for (let head = this.byte(); head !== BREAK; head = this.byte()) {
      const part = head >> 5 === major ? this.argument(head & 31) : undefined;
      if (part === undefined) throw this.bad('a piece of another kind in a string');
      this.skip(part);
      parts.push(this.bytes.subarray(this.at - part, this.at));
    }
    const whole = Buffer.concat(parts);
    if (major === 3 && !isUtf8(whole)) throw this.bad('text is not UTF-8');
    const header = Buffer.alloc(5);
    header[0] = (major << 5) | 26;
    header.writeUInt32BE(whole.length, 1);
    this.replace(start, this.at, header, whole);
  }

  private simple(info: number): void {
    if (info >= 25 && info <= 27) this.skip(2 ** (info - 24));
    else if (info === 24) {
      const value = this.byte();
      throw this.bad(`simple value ${value} has no meaning`);
    } else if (info < 20 || info > 23)
      throw this.bad(info === INDEFINITE ? 'a break out of place' : `simple value ${info} has no meaning`);
  }

  /** The argument of a head; undefined for an indefinite length. Exact as far as a length can matter. */
  private argument(info: number): number | undefined {
    if (info < 24) return info;
    if (info === INDEFINITE) return undefined;
    if (info > 27) throw this.bad('a reserved length');
    let value = 0;
    for (let n = 2 ** (info - 24); n > 0; n--) value = value * 256 + this.byte();
    return value;
  }

  private byte(): number {
    if (this.at >= this.bytes.length) throw this.bad('ends too early');
    return this.bytes[this.at++]!;
  }

  private skip(length: number): void {
    if (length > this.bytes.length - this.at) throw this.bad('ends too early');
    this.at += length;
  }

  /** Puts `by` in place of the input from `start` to `end`. */
  private replace(start: number, end: number, ...by: Uint8Array[]): void {
    if (start === end) return;
    this.pieces.push(this.bytes.subarray(this.copied, start), ...by);
    this.copied = end;
  }

  private bad(problem: string): MoonwireError {
    return new MoonwireError('decode_error', `CBOR at offset ${this.at}: ${problem}`);
  }
}
