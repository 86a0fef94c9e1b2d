/** Where the items of a CBOR sequence (RFC 8742) end, as their bytes arrive. */
import { MoonwireError } from '../errors.js';
import { MAX_DEPTH } from './plain.js';

const BREAK = 0xff;
const UNTIL_BREAK = -1;
/** Arguments above this are only compared with limits, so their exact value does not matter. */
const HUGE = 2 ** 40;

/**
 * Finds the end of one item after another. Each byte is looked at once however it arrives; content of strings is
 * stepped over. What lies within an item is checked only as far as its length depends on it.
 */
export class CborLengths {
  /** Bytes of the present item seen so far. */
  private seen = 0;
  /** Bytes of a string or number still to step over. */
  private skip = 0;
  /** Major type of a head whose argument is under way, and the bytes of it still to come. */
  private major = 0;
  private argumentBytes = 0;
  private argument = 0;
  /** Items still to come of each open array, map, tag or string in pieces; {@link UNTIL_BREAK}. */
  private readonly open: number[] = [];

  /** `maxBytes`: longest item; refused as soon as its length is known, not once it has arrived. */
  constructor(private readonly limits: { readonly maxBytes: number }) {}

  /** True between items. */
  get idle(): boolean {
    return this.seen === 0;
  }

  /**
   * Looks at `bytes` from `from` on. Returns the position behind the end of the present item, or -1 when it does
   * not end here; the next call goes on with the bytes that follow.
   * @throws MoonwireError `decode_error` for what cannot be CBOR, `too_large`; the sequence is lost then.
   */
  next(bytes: Uint8Array, from: number): number {
    let at = from;
    while (at < bytes.length) {
      if (this.skip > 0) {
        const step = Math.min(this.skip, bytes.length - at);
        at += step;
        this.seen += step;
        this.skip -= step;
        if (this.skip > 0) return -1;
        if (this.itemEnded()) return at;
        continue;
      }
      const byte = bytes[at++]!;
      this.seen++;
      if (this.argumentBytes > 0 ? this.takeArgument(byte) : this.takeHead(byte)) return at;
    }
    return -1;
  }

  /** Each of these returns true when the whole item has ended. */
  private takeHead(byte: number): boolean {
    this.checkSize(0);
    if (byte === BREAK) {
      if (this.open.at(-1) !== UNTIL_BREAK) throw this.bad('a break out of place');
      this.open.pop();
      return this.itemEnded();
    }
    const info = byte & 31;
    this.major = byte >> 5;
    if (info < 24) return this.begin(info);
    if (info > 27) {
      if (info < 31 || this.major < 2 || this.major > 5) throw this.bad('a reserved length');
      return this.push(UNTIL_BREAK);
    }
    this.argument = 0;
    this.argumentBytes = 2 ** (info - 24);
    return false;
  }

  private takeArgument(byte: number): boolean {
    this.argument = Math.min(HUGE, this.argument * 256 + byte);
    return --this.argumentBytes === 0 ? this.begin(this.argument) : false;
  }

  /** A head is complete. */
  private begin(argument: number): boolean {
    switch (this.major) {
      case 2:
      case 3:
        this.checkSize(argument);
        this.skip = argument;
        return argument === 0 && this.itemEnded();
      case 4:
      case 5: {
        const items = this.major === 5 ? argument * 2 : argument;
        // An item has at least one byte.
        this.checkSize(items);
        return items === 0 ? this.itemEnded() : this.push(items);
      }
      case 6:
        return this.push(1);
      default:
        return this.itemEnded();
    }
  }

  private push(items: number): boolean {
    // Tags and strings in pieces count too, hence twice what values may have.
    if (this.open.length === 2 * MAX_DEPTH) throw this.bad(`nested deeper than ${2 * MAX_DEPTH}`);
    this.open.push(items);
    return false;
  }

  private itemEnded(): boolean {
    const { open } = this;
    for (let last = open.length - 1; last >= 0 && open[last] !== UNTIL_BREAK; last--) {
      if (--open[last]! > 0) return false;
      open.pop();
    }
    if (open.length > 0) return false;
    this.seen = 0;
    return true;
  }

  private checkSize(more: number): void {
    if (this.seen + more <= this.limits.maxBytes) return;
    throw new MoonwireError('too_large', `an item has at most ${this.limits.maxBytes} bytes`);
  }

  private bad(problem: string): MoonwireError {
    return new MoonwireError('decode_error', `CBOR at offset ${this.seen - 1} of an item: ${problem}`);
  }
}
