/**
 * The Redis serialization protocol, version 2: commands out, replies in. It is short enough to be read here, where a
 * reply is refused by its announced size; the usual library holds what comes, and costs 12 MB at start.
 */

import { ChunkQueue } from '../../bytes/chunks.js';
import { MoonwireError } from '../../errors.js';

/** An error of the server, such as `WRONGTYPE …`. */
export class RedisError extends Error {
  override readonly name = 'RedisError';
}

/**
 * A reply: null, an integer (a decimal string beyond 2^53), bytes (they may share the memory of what was received), an
 * error, or a list of these.
 */
export type Reply = null | number | string | Uint8Array | RedisError | Reply[];

/** Bounds of one reply; what is longer ends the connection before it is held. */
export interface ReplyLimits {
  /** Bytes of one string: as many as a Lua string may have. */
  stringBytes: number;
  /** Bytes of all strings together. */
  bytes: number;
  /** Values in lists, those in nested ones included. */
  values: number;
}

export const REPLY_LIMITS: ReplyLimits = {
  stringBytes: 1024 * 1024,
  bytes: 8 * 1024 * 1024,
  values: 100_000,
};
/** Deepest nesting of lists. */
const MAX_DEPTH = 32;
/** Longest line: a status, an error, a number, a length. */
const MAX_LINE = 16 * 1024;

const CR = 0x0d;
const LF = 0x0a;
const CRLF = Buffer.from('\r\n');
/** What `element` returns when bytes are missing, and when a list was begun. */
const INCOMPLETE = Symbol('incomplete');
const BEGUN = Symbol('begun');

/** A command as it goes out: a list of strings. */
export function encodeCommand(args: readonly Uint8Array[]): Uint8Array {
  const parts: Uint8Array[] = [Buffer.from(`*${args.length}\r\n`)];
  for (const arg of args) parts.push(Buffer.from(`$${arg.length}\r\n`), arg, CRLF);
  return Buffer.concat(parts);
}

/** Takes bytes as they come and gives out whole replies. Nothing is read twice, however the bytes are cut. */
export class ReplyReader {
  private readonly queue = new ChunkQueue();
  /** How far the line at the front was searched for its end. */
  private searched = 0;
  /** Length of the string whose bytes come next, or -1. */
  private string = -1;
  /** The lists around the next element, outermost first. */
  private readonly lists: { items: Reply[]; size: number }[] = [];
  /** Values in lists that were announced so far, and bytes in strings. */
  private values = 0;
  private bytes = 0;

  constructor(private readonly limits: ReplyLimits = REPLY_LIMITS) {}

  push(bytes: Uint8Array): void {
    this.queue.push(bytes);
  }

  /**
   * The next reply; undefined when bytes are missing. Throws MoonwireError `decode_error` or `too_large`, after which
   * the stream cannot be read any more.
   */
  next(): Reply | undefined {
    for (;;) {
      let value = this.element();
      if (value === INCOMPLETE) return undefined;
      if (value === BEGUN) continue;
      for (;;) {
        const list = this.lists.at(-1);
        if (!list) {
          this.values = this.bytes = 0;
          return value;
        }
        list.items.push(value);
        if (list.items.length < list.size) break;
        value = list.items;
        this.lists.pop();
      }
    }
  }

  private element(): Reply | typeof INCOMPLETE | typeof BEGUN {
    if (this.string >= 0) return this.readString();
    const line = this.readLine();
    if (line === undefined) return INCOMPLETE;
    const text = line.toString('latin1', 1);
    switch (String.fromCharCode(line[0]!)) {
      case '+':
        return line.subarray(1);
      case '-':
        return new RedisError(line.toString('utf8', 1));
      case ':':
        return integer(text);
      case '$':
        return this.beginString(length(text));
      case '*':
        return this.beginList(length(text));
      default:
        throw new MoonwireError('decode_error', 'the peer does not speak the Redis protocol');
    }
  }

  /** The line at the front without its end. */
  private readLine(): Buffer | undefined {
    const { queue } = this;
    const end = queue.indexOfByte(LF, this.searched);
    if ((end < 0 ? queue.length : end) > MAX_LINE) throw this.tooLarge(`${MAX_LINE} bytes in a line`);
    if (end < 0) {
      this.searched = queue.length;
      return undefined;
    }
    this.searched = 0;
    const line = queue.shift(end + 1);
    if (line.length < 3 || line[line.length - 2] !== CR) {
      throw new MoonwireError('decode_error', 'the peer does not speak the Redis protocol');
    }
    return Buffer.from(line.buffer, line.byteOffset, line.length - 2);
  }

  private beginString(size: number): null | typeof INCOMPLETE | Uint8Array {
    if (size < 0) return null;
    if (size > this.limits.stringBytes) throw this.tooLarge(`${this.limits.stringBytes} bytes in a string`);
    this.bytes += size;
    if (this.bytes > this.limits.bytes) throw this.tooLarge(`${this.limits.bytes} bytes`);
    this.string = size;
    return this.readString();
  }

  private readString(): Uint8Array | typeof INCOMPLETE {
    if (this.queue.length < this.string + CRLF.length) return INCOMPLETE;
    const bytes = this.queue.shift(this.string);
    this.queue.skip(CRLF.length);
    this.string = -1;
    return bytes;
  }

  private beginList(size: number): null | Reply[] | typeof BEGUN {
    if (size < 0) return null;
    if (size === 0) return [];
    this.values += size;
    if (this.values > this.limits.values) throw this.tooLarge(`${this.limits.values} values`);
    if (this.lists.length === MAX_DEPTH) throw this.tooLarge(`${MAX_DEPTH} nested lists`);
    this.lists.push({ items: [], size });
    return BEGUN;
  }

  private tooLarge(limit: string): MoonwireError {
    return new MoonwireError('too_large', `the reply has more than ${limit}`);
  }
}

/** -1 stands for null. */
function length(text: string): number {
  if (!/^(-1|\d{1,10})$/.test(text)) {
    throw new MoonwireError('decode_error', 'the peer sent a length that is none');
  }
  return Number(text);
}

function integer(text: string): number | string {
  if (!/^[+-]?\d{1,20}$/.test(text)) {
    throw new MoonwireError('decode_error', 'the peer sent an integer that is none');
  }
  const number = Number(text);
  return Number.isSafeInteger(number) ? number : text;
}
