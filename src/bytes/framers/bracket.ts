/** Frames between an opening and a closing mark, whose content may be escaped: JT/T 808, STX/ETX, "<…>". */
import type { ChunkQueue } from '../chunks.js';
import { commonOptions, type FramerDefaults, type Measure, MORE } from '../frame_shape.js';
import type { FramerSpec } from '../framer.js';
import { bytesOf, invalid, type Options, tableOf } from '../options.js';
import { StreamSpec } from '../stream_framer.js';

/** A sequence on the wire and what it stands for. */
type Escape = readonly [sequence: Uint8Array, meaning: Uint8Array];

/**
 * `bracket{open, close, escape = {[sequence] = bytes}}`: the content between `open` and `close`, with each escape
 * sequence replaced by what it stands for. A byte that begins an escape sequence but forms none makes the frame
 * `malformed`. Where `open` and `close` are the same, nothing between two of them is no frame.
 */
export function bracket(options: Options, defaults: FramerDefaults): FramerSpec {
  const open = options.bytes('open');
  const close = options.bytes('close');
  const escapes = readEscapes(options);
  const common = commonOptions(options, defaults, open.length + close.length + 1, { starts: [open] });
  options.done();

  const same = Buffer.compare(open, close) === 0;
  const leads = new Uint8Array(256);
  for (const [sequence] of escapes) leads[sequence[0]!] = 1;
  // The closing mark may be part of an escape sequence (DLE DLE ETX): then only a walk from the start finds it.
  const walks = escapes.some(([sequence]) => sequence.some((byte) => close.includes(byte)));
  const find = walks ? walk : seek;

  function seek(queue: ChunkQueue, from: number, state: Measure): number {
    const at = queue.indexOf(close, from + Math.max(open.length, state.scanned));
    if (at < 0) state.scanned = Math.max(0, queue.length - from - close.length + 1);
    return at;
  }

  function walk(queue: ChunkQueue, from: number, state: Measure): number {
    let at = from + Math.max(open.length, state.scanned);
    while (at < queue.length) {
      const found = leads[queue.at(at)]
        ? escapes.find(([sequence]) => queue.matches(sequence, at))
        : undefined;
      const token = found ? found[0] : queue.matches(close, at) ? close : undefined;
      if (token && at + token.length > queue.length) break;
      if (token === close) return at;
      at += token ? token.length : 1;
    }
    state.scanned = at - from;
    return -1;
  }

  const shape = {
    ...common,
    terminated: false,
    measure(queue: ChunkQueue, from: number, state: Measure) {
      const at = find(queue, from, state);
      if (at < 0) return MORE;
      if (same && at === from + open.length) return state.fill(open.length);
      return at + close.length - from;
    },
    unwrap(wire: Uint8Array) {
      const content = wire.subarray(open.length, wire.length - close.length);
      return escapes.length === 0 ? content : decode(content, escapes, leads);
    },
  };
  return new StreamSpec('bracket', [shape], common.partial);
}

function readEscapes(options: Options): readonly Escape[] {
  const given = options.raw('escape');
  const needs =
    'escape must be a table of up to 64 pairs [sequence] = bytes, the bytes no longer than the sequence';
  const table = tableOf(given ?? []);
  if (!table || table.list.length > 0 || table.named.size > 64) throw invalid(options.place, needs);
  return [...table.named].map(([key, value]) => {
    const sequence = bytesOf(key);
    const meaning = bytesOf(value);
    if (!sequence || !meaning || sequence.length === 0 || meaning.length > sequence.length) {
      throw invalid(options.place, needs);
    }
    return [sequence, meaning];
  });
}

function decode(content: Uint8Array, escapes: readonly Escape[], leads: Uint8Array): Uint8Array | undefined {
  let read = content.findIndex((byte) => leads[byte] === 1);
  if (read < 0) return content;
  const plain = new Uint8Array(content);
  let written = read;
  while (read < content.length) {
    const byte = content[read]!;
    if (leads[byte] === 0) {
      plain[written++] = byte;
      read++;
      continue;
    }
    const found = escapes.find(([sequence]) => sequence.every((item, i) => content[read + i] === item));
    if (!found) return undefined;
    plain.set(found[1], written);
    written += found[1].length;
    read += found[0].length;
  }
  return plain.subarray(0, written);
}
