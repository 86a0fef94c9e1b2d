/**
 * Captures that `moonwire trace --json` writes: a trace event (`engine/trace.ts`) a line, with `"datagram":true` where
 * bytes come in datagrams. Bytes in and out and the
 * end of a connection are what a capture holds; what an engine made of them then is left out.
 */

import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { MoonwireError } from '../../errors.js';
import { bytesOfDigits } from '../hex-lines.js';
import { type CaptureEvent, type PassedOver, passOver } from './event.js';

/** What an engine made of the bytes: a replay makes it anew. */
const DERIVED = new Set(['message', 'discard', 'error']);
/** Longest line, in characters: the largest frame as digits, and what is around it. */
const MAX_LINE = 2 ** 28;

/** Whether a file that begins so is such a capture. */
export function isTraceCapture(first: Uint8Array): boolean {
  return /^\s*\{/.test(Buffer.from(first).toString('latin1'));
}

/** The pieces of such a file. Throws MoonwireError naming the line that is none. */
export async function* traceEvents(file: string, passed: PassedOver): AsyncGenerator<CaptureEvent> {
  const open = new Set<string>();
  let number = 0;
  for await (const line of createInterface({ input: createReadStream(file) })) {
    number++;
    if (line.trim() === '') continue;
    const event = line.length > MAX_LINE ? undefined : eventOf(line);
    if (!event)
      throw new MoonwireError('invalid_argument', `${file}:${number}: not a line of moonwire trace --json`);
    if (typeof event === 'string') {
      if (!DERIVED.has(event)) passOver(passed, 'an unknown event');
      continue;
    }
    if (event.kind === 'end') open.delete(event.connection);
    else open.add(event.connection);
    yield event;
  }
  for (const connection of open) yield endOf(connection, undefined);
}

/** A piece of a connection, the name of another event, or undefined for what is no event. */
function eventOf(line: string): CaptureEvent | string | undefined {
  let fields: Record<string, unknown>;
  try {
    fields = JSON.parse(line);
  } catch {
    return undefined;
  }
  const { time, client, event, hex, datagram } = fields ?? {};
  if (typeof time !== 'number' || typeof client !== 'string' || typeof event !== 'string') return undefined;
  if (event === 'close') return endOf(client, time);
  if (event !== 'in' && event !== 'out') return event;
  const bytes = typeof hex === 'string' ? bytesOfDigits(hex) : undefined;
  return (
    bytes && {
      connection: client,
      kind: datagram === true ? 'datagram' : 'data',
      fromDevice: event === 'in',
      time,
      bytes,
      count: bytes.length,
    }
  );
}

function endOf(connection: string, time: number | undefined): CaptureEvent {
  return {
    connection,
    kind: 'end',
    fromDevice: true,
    ...(time !== undefined && { time }),
    bytes: new Uint8Array(0),
    count: 0,
  };
}
