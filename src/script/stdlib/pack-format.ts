/** Parses the formats of `string.pack` and `string.unpack` (Lua 5.3 manual, §6.4.2). */

import { LuaError } from '../executor.js';

/** One value, padding or mistake of a format; sizes and alignments in bytes. */
export type PackItem =
  | { readonly kind: 'int' | 'uint'; readonly size: number; readonly align: number; readonly little: boolean }
  | { readonly kind: 'float'; readonly size: 4 | 8; readonly align: number; readonly little: boolean }
  /** A string behind its length, which has `size` bytes. */
  | { readonly kind: 'string'; readonly size: number; readonly align: number; readonly little: boolean }
  /** A string of exactly `size` bytes. */
  | { readonly kind: 'chars'; readonly size: number; readonly align: 1 }
  | { readonly kind: 'zero-ended'; readonly size: 0; readonly align: 1 }
  /** Padding of `size` bytes, behind what `align` asks for. */
  | { readonly kind: 'pad'; readonly size: 0 | 1; readonly align: number }
  /** A mistake, raised when it is reached; `argument` blames argument 1. */
  | { readonly kind: 'raise'; readonly message: string; readonly argument: boolean };

/** Largest integer, in bytes. */
const MAX_INTEGER_SIZE = 16;
const DEFAULT_MAX_ALIGN = 8;

/** A mistake that blames the format argument. */
class ArgumentMistake extends LuaError {}

/** The items of a format, up to and including the first mistake. */
export function parsePackFormat(format: string): PackItem[] {
  return new Parser(format).parse();
}

class Parser {
  private at = 0;
  private little = true;
  private maxAlign = 1;

  constructor(private readonly format: string) {}

  parse(): PackItem[] {
    const items: PackItem[] = [];
    try {
      while (this.at < this.format.length) {
        const item = this.option();
        if (item) items.push(item);
      }
    } catch (error) {
      if (!(error instanceof LuaError)) throw error;
      items.push({ kind: 'raise', message: error.message, argument: error instanceof ArgumentMistake });
    }
    return items;
  }

  /** Reads one option; undefined when it only sets how the next ones are read. */
  private option(): PackItem | undefined {
    const letter = this.format[this.at++] as string;
    switch (letter) {
      case 'b':
      case 'B':
        return this.integer(letter === 'b', 1);
      case 'h':
      case 'H':
        return this.integer(letter === 'h', 2);
      case 'i':
      case 'I':
        return this.integer(letter === 'i', this.sizeUpTo16(4));
      case 'l':
      case 'j':
        return this.integer(true, 8);
      case 'L':
      case 'J':
      case 'T':
        return this.integer(false, 8);
      case 'f':
        return { kind: 'float', size: 4, align: this.alignment(4), little: this.little };
      case 'd':
      case 'n':
        return { kind: 'float', size: 8, align: this.alignment(8), little: this.little };
      case 's': {
        const size = this.sizeUpTo16(8);
        return { kind: 'string', size, align: this.alignment(size), little: this.little };
      }
      case 'c':
        return { kind: 'chars', size: this.charsSize(), align: 1 };
      case 'z':
        return { kind: 'zero-ended', size: 0, align: 1 };
      case 'x':
        return { kind: 'pad', size: 1, align: 1 };
      case 'X':
        return { kind: 'pad', size: 0, align: this.alignmentOfNext() };
      case ' ':
        return undefined;
      case '<':
      case '=':
        this.little = true;
        return undefined;
      case '>':
        this.little = false;
        return undefined;
      case '!':
        this.maxAlign = this.sizeUpTo16(DEFAULT_MAX_ALIGN);
        return undefined;
      default:
        throw new LuaError(`invalid format option '${letter}'`);
    }
  }

  private integer(signed: boolean, size: number): PackItem {
    return { kind: signed ? 'int' : 'uint', size, align: this.alignment(size), little: this.little };
  }

  private alignment(size: number): number {
    const align = Math.min(size, this.maxAlign);
    if ((align & (align - 1)) !== 0) throw new ArgumentMistake('format asks for alignment not power of 2');
    return align;
  }

  /** "X" aligns as the option behind it would, which stands for nothing else. */
  private alignmentOfNext(): number {
    // One that aligns itself has no size, whatever follows it.
    const isSized = this.at < this.format.length && this.format[this.at] !== 'X';
    const next = isSized ? this.option() : undefined;
    if (!next || next.kind === 'raise' || next.kind === 'chars' || next.size === 0) {
      throw new ArgumentMistake("invalid next option for option 'X'");
    }
    return next.align;
  }

  private sizeUpTo16(fallback: number): number {
    const size = this.digits() ?? fallback;
    if (size < 1 || size > MAX_INTEGER_SIZE) {
      throw new LuaError(`integral size (${size}) out of limits [1,${MAX_INTEGER_SIZE}]`);
    }
    return size;
  }

  private charsSize(): number {
    const size = this.digits();
    if (size === undefined) throw new LuaError("missing size for format option 'c'");
    return size;
  }

  private digits(): number | undefined {
    const from = this.at;
    while (/\d/.test(this.format[this.at] ?? '')) this.at++;
    return this.at === from ? undefined : Number(this.format.slice(from, this.at));
  }
}
