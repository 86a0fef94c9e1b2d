// The engine's decoder without the engine: framer and `decode` of a protocol module in this process.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { bundleInto } from './bundle.mjs';

const MAX_FRAME = 65_536;

/** Bundles `loadProtocol` of src/cli/decode.ts, as production does, and imports it. */
export async function loader() {
  const folder = mkdtempSync(join(tmpdir(), 'moonwire-bench-'));
  const outfile = join(folder, 'decode.mjs');
  try {
    await bundleInto([`export { loadProtocol } from './src/cli/decode.ts';`], outfile);
    const { loadProtocol } = await import(pathToFileURL(outfile).href);
    return loadProtocol;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What the inputs of one connection (or its datagrams) become: counts of frames, messages, bytes and failures. */
export function decode(protocol, inputs) {
  const counts = { frames: 0, messages: 0, bytes: 0, failures: 0 };
  const peer = { session: undefined, conn: () => undefined };
  const take = (frame) => {
    counts.frames++;
    const decoded = protocol.decode(frame, peer);
    if (decoded?.messages) counts.messages += decoded.messages.length;
    else if (decoded !== undefined) counts.failures++;
  };
  const framer = protocol.framed
    ? protocol.createFramer(peer, MAX_FRAME, () => {
        counts.failures++;
      })
    : undefined;
  for (const bytes of inputs) {
    counts.bytes += bytes.length;
    if (!framer) {
      take(bytes);
      continue;
    }
    framer.push(bytes);
    for (let frame = framer.next(); frame; frame = framer.next()) take(frame);
    if (framer.pending === 0) continue;
    // Silence ends some frames.
    framer.expire();
    for (let frame = framer.next(); frame; frame = framer.next()) take(frame);
    if (framer.pending > 0) counts.failures++;
    framer.clear();
  }
  return counts;
}
