/** Reads a capture of any format it knows, told apart by its first bytes. */

import { type FileHandle, open } from 'node:fs/promises';
import { MoonwireError } from '../../errors.js';
import { ByteSource } from './byte-source.js';
import { type CaptureEvent, type PassedOver, passOver } from './event.js';
import { hexEvents } from './hex.js';
import { segmentOf } from './network.js';
import { isPacketCapture, packetsOf } from './pcap.js';
import { type Sides, Streams } from './streams.js';
import { isTraceCapture, traceEvents } from './trace-lines.js';

/** What a capture file holds; what is passed over is counted in `passed`. Throws MoonwireError. */
export async function* captureEvents(
  file: string,
  sides: Sides,
  passed: PassedOver,
): AsyncGenerator<CaptureEvent> {
  const first = await firstBytes(file);
  if (isTraceCapture(first)) {
    yield* traceEvents(file, passed);
    return;
  }
  if (!isPacketCapture(first)) {
    yield* hexEvents(file);
    return;
  }
  const source = new ByteSource(file);
  const streams = new Streams(sides);
  try {
    for await (const packet of packetsOf(source)) {
      const segment = segmentOf(packet);
      if (typeof segment === 'string') passOver(passed, segment);
      else if (!streams.wants(segment)) passOver(passed, 'another port');
      else yield* streams.take(segment, packet.time);
    }
    yield* streams.end();
  } finally {
    await source.close();
  }
}

async function firstBytes(file: string): Promise<Buffer> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(file);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(4), 0, 4, 0);
    return buffer.subarray(0, bytesRead);
  } catch {
    throw new MoonwireError('not_found', `cannot read ${file}`);
  } finally {
    await handle?.close();
  }
}
