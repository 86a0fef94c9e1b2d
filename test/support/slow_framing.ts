/**
 * Framers that are slow and obvious: each takes the whole stream at once, looks at it from its first byte and says
 * what it begins with. Nothing is shared with the code they check, except the CRC, which has a twin of its own.
 */
import { crc } from '../../src/bytes/crc.js';
import { hex } from './framing.js';

/** A frame of so many wire bytes; so many bytes that are none; or nothing before more bytes come. */
type Step = { length: number; frame: number[] | undefined } | { skip: number } | 'more';
export type SlowFramer = (rest: number[]) => Step;

/** Cuts a whole stream; stops where more bytes are needed. */
export function slowFrames(step: SlowFramer, stream: Uint8Array): string[] {
  const frames: string[] = [];
  let rest = [...stream];
  while (rest.length > 0) {
    const found = step(rest);
    if (found === 'more') break;
    if ('length' in found && found.frame) frames.push(hex(Uint8Array.from(found.frame)));
    rest = rest.slice('length' in found ? found.length : found.skip);
  }
  return frames;
}

const indexOf = (rest: number[], pattern: number[], from = 0) => {
  for (let i = from; i + pattern.length <= rest.length; i++) {
    if (pattern.every((byte, j) => rest[i + j] === byte)) return i;
  }
  return -1;
};

/** Whether `rest` begins with `start`; 'more' when it may. */
const begins = (rest: number[], start: number[]) => {
  const seen = rest.slice(0, start.length);
  if (!seen.every((byte, i) => byte === start[i])) return false;
  return seen.length < start.length ? 'more' : true;
};

export const slowDelimiter =
  (ends: number[], max: number): SlowFramer =>
  (rest) => {
    const at = indexOf(rest, ends);
    if (at < 0) return 'more';
    const length = at + ends.length;
    if (length > max || at === 0) return { skip: length };
    return { length, frame: rest.slice(0, at) };
  };

/** start, one length byte that counts the rest, CRC-8/SMBUS over all. */
export const slowLength =
  (start: number[], max: number): SlowFramer =>
  (rest) => {
    const here = begins(rest, start);
    if (here !== true) return here === 'more' ? 'more' : { skip: 1 };
    if (rest.length < start.length + 1) return 'more';
    const length = start.length + 1 + rest[start.length]!;
    if (length > max) return { skip: 1 };
    if (rest.length < length) return 'more';
    const frame = rest.slice(0, length);
    const right = crc('CRC-8/SMBUS').compute(Uint8Array.from(frame.slice(0, -1))) === frame.at(-1);
    return right ? { length, frame } : { skip: 1 };
  };

export const slowSlip =
  (max: number): SlowFramer =>
  (rest) => {
    const at = rest.indexOf(0xc0);
    if (at < 0) return 'more';
    if (at === 0 || at + 1 > max) return { skip: at + 1 };
    const frame: number[] = [];
    for (let i = 0; i < at; i++) {
      if (rest[i] !== 0xdb) frame.push(rest[i]!);
      else if (rest[++i] === 0xdc && i < at) frame.push(0xc0);
      else if (rest[i] === 0xdd && i < at) frame.push(0xdb);
      else return { skip: at + 1 };
    }
    return { length: at + 1, frame };
  };

export const slowCobs =
  (max: number): SlowFramer =>
  (rest) => {
    const at = rest.indexOf(0);
    if (at < 0) return 'more';
    if (at === 0 || at + 1 > max) return { skip: at + 1 };
    const frame: number[] = [];
    let left = rest.slice(0, at);
    while (left.length > 0) {
      const code = left[0]!;
      if (left.length < code) return { skip: at + 1 };
      frame.push(...left.slice(1, code));
      left = left.slice(code);
      if (code < 255 && left.length > 0) frame.push(0);
    }
    return { length: at + 1, frame };
  };

/** open, close one byte each and different; escapes "\\" + byte for open, close and itself. */
export const slowBracket =
  (open: number, close: number, mark: number, max: number): SlowFramer =>
  (rest) => {
    if (rest[0] !== open) return { skip: 1 };
    const frame: number[] = [];
    let bad = false;
    for (let i = 1; i < rest.length; i++) {
      if (i >= max) return { skip: 1 };
      if (rest[i] === close) return bad ? { skip: 1 } : { length: i + 1, frame };
      if (rest[i] === mark) {
        if (i + 1 >= rest.length) break;
        if ([open, close, mark].includes(rest[i + 1]!)) frame.push(rest[++i]!);
        else bad = true;
      } else frame.push(rest[i]!);
    }
    return rest.length >= max ? { skip: 1 } : 'more';
  };

/** Modbus responses of the functions 3, 6 and exceptions only. */
export const slowModbus: SlowFramer = (rest) => {
  if (rest.length < 4) return 'more';
  const code = rest[1]!;
  if (code === 0 || code === 0x80) return { skip: 1 };
  const length = code > 0x80 ? 5 : code === 3 ? 5 + rest[2]! : code === 6 ? 8 : undefined;
  if (length === undefined) throw new Error('not for these twins');
  if (length > 256) return { skip: 1 };
  if (rest.length < length) return 'more';
  const frame = rest.slice(0, length);
  const found = frame[length - 2]! + frame[length - 1]! * 256;
  const right = crc('CRC-16/MODBUS').compute(Uint8Array.from(frame.slice(0, -2))) === found;
  return right ? { length, frame } : { skip: 1 };
};

/** M-Bus: single characters, short frames, control and long frames. */
export const slowMbus: SlowFramer = (rest) => {
  const starts = [0xe5, 0x10, 0x68];
  if (!starts.includes(rest[0]!)) return { skip: 1 };
  if (rest[0] === 0xe5) {
    return rest.length > 1 && !starts.includes(rest[1]!) ? { skip: 1 } : { length: 1, frame: [0xe5] };
  }
  const long = rest[0] === 0x68;
  if (long && rest.length < 2) return 'more';
  if (long && (rest[1]! < 3 || (rest[2] ?? rest[1]) !== rest[1] || (rest[3] ?? 0x68) !== 0x68))
    return { skip: 1 };
  const length = long ? rest[1]! + 6 : 5;
  if (rest.length < length) return 'more';
  const frame = rest.slice(0, length);
  const sum = frame.slice(long ? 4 : 1, -2).reduce((total, byte) => (total + byte) % 256, 0);
  if (frame.at(-1) !== 0x16) return { skip: 1 };
  return frame.at(-2) === sum ? { length, frame } : { skip: length };
};

/** SML transport; the content is taken to hold no escape sequence that needs a second look. */
export const slowSml: SlowFramer = (rest) => {
  const mark = [0x1b, 0x1b, 0x1b, 0x1b];
  const start = [...mark, 1, 1, 1, 1];
  const here = begins(rest, start);
  if (here !== true) return here === 'more' ? 'more' : { skip: 1 };
  const content: number[] = [];
  for (let i = 8; i + 8 <= rest.length; ) {
    const next = rest.slice(i, i + 8);
    const escaped = begins(next, mark) === true;
    if (!escaped) content.push(rest[i++]!);
    else if (begins(next.slice(4), mark) === true) {
      content.push(...mark);
      i += 8;
    } else if (begins(next, start) === true) return { skip: i };
    else if (next[4] !== 0x1a) content.push(rest[i++]!);
    else {
      const length = i + 8;
      const sent = next[6]! + next[7]! * 256;
      const covered = Uint8Array.from(rest.slice(0, length - 2));
      const right = ['CRC-16/IBM-SDLC', 'CRC-16/KERMIT'].some((name) => crc(name).compute(covered) === sent);
      const padding = next[5]!;
      if (!right || padding > 3 || padding > i - 8) return { skip: length };
      return { length, frame: content.slice(0, content.length - padding) };
    }
  }
  return 'more';
};
