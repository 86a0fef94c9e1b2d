/** `moonwire decode`: what a protocol module makes of bytes, without a device or a server. */

import { existsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { defaultCodecs } from '../codecs/registry.js';
import { type Fed, OfflinePeer } from '../engine/offline.js';
import { OfflineScript } from '../engine/offline-script.js';
import type { Protocol } from '../engine/protocol.js';
import { MoonwireError } from '../errors.js';
import { silentLogger } from '../log.js';
import { EXIT } from './exit.js';
import { bytesOfDigits, hexDigits } from './hex-lines.js';
import { scriptRoots } from './roots.js';
import { bytesAsHex } from './test-difference.js';

/** Longest frame; also bounds what one input line may leave waiting. */
export const MAX_FRAME = 1024 * 1024;

export interface DecodeOptions {
  hex?: string;
  file?: string;
  session?: boolean;
  datagram?: boolean;
}

/** Prints one JSON line `{"messages":[…],"discarded":n,"error":null}` for each input; returns the exit code. */
export async function decode(
  module: string,
  input: string | undefined,
  options: DecodeOptions,
): Promise<number> {
  const sources = [options.hex !== undefined, options.file !== undefined, input === '-'].filter(Boolean);
  if (sources.length !== 1) {
    process.stderr.write('moonwire decode: give the bytes by one of --hex, --file or -\n');
    return EXIT.usage;
  }
  const protocol = loadProtocol(module);
  let peer = new OfflinePeer(protocol, MAX_FRAME);
  for await (const line of lines(options)) {
    const digits = hexDigits(line);
    if (digits === '') continue;
    if (!options.session) peer = new OfflinePeer(protocol, MAX_FRAME);
    const bytes = bytesOfDigits(digits);
    const result = bytes
      ? decodeBytes(protocol, peer, bytes, options)
      : { messages: [], discarded: 0, error: 'not a line of hexadecimal bytes' };
    process.stdout.write(`${JSON.stringify(result, bytesAsHex)}\n`);
  }
  return EXIT.done;
}

function decodeBytes(protocol: Protocol, peer: OfflinePeer, bytes: Uint8Array, options: DecodeOptions): Fed {
  if (options.datagram) return peer.datagram(bytes);
  const fed = peer.feed(bytes, !options.session);
  if (!protocol.readsDatagrams || fed.discarded === 0) return fed;
  // Not all of it is frames, and the protocol has another form for datagrams, which fits or does not as a whole.
  const datagram = new OfflinePeer(protocol, MAX_FRAME).datagram(bytes);
  return datagram.messages.length > 0 && datagram.error === null ? datagram : fed;
}

/** The protocol of a module, by name or file, or of an entry script. Throws when there is none. */
export function loadProtocol(module: string): Protocol {
  const isFile = module.endsWith('.lua') || existsSync(module);
  const roots = scriptRoots(isFile ? module : undefined);
  const codecs = defaultCodecs(roots);
  const script = new OfflineScript({ roots, codecs, frameBytes: MAX_FRAME, log: silentLogger });
  // A module whose directions look alike brings a variant that reads both.
  const protocol = script.load(module, isFile, 'monitor');
  if (protocol.decodes) return protocol;
  throw new MoonwireError('invalid_argument', `${module} returns no protocol module and defines no protocol`);
}

async function* lines(options: DecodeOptions): AsyncGenerator<string> {
  if (options.hex !== undefined) {
    yield options.hex;
    return;
  }
  if (options.file === undefined) {
    yield* createInterface({ input: process.stdin });
    return;
  }
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(options.file);
  } catch {
    throw new MoonwireError('not_found', `cannot read ${options.file}`);
  }
  yield* file.readLines();
}
