/** A muxado session that is sent frames in any order, cut anywhere: it ends with its code or goes on, bounded. */

import type { MuxStream } from '../../../src/mux/index.js';
import { frame, sessionAndPeer, settle } from '../../mux/wire.js';
import type { Random } from '../../support/random.js';
import { changed } from '../mutations.js';
import { Finding, type Target } from '../target.js';

const MOST_FRAMES = 30;
const IDS = [0, 1, 2, 3, 5, 7, 9, 0x7fffffff, 0xffffffff];
const BODIES = [0, 4, 8, 12];
const CHUNK = 64;
/** Turns of the event loop after which what is due has happened. */
const TURNS = 4;

function randomFrame({ below, pick, bytes }: Random): Buffer {
  const type = below(8) === 0 ? below(16) : below(4);
  const flags = below(8) === 0 ? below(16) : pick([0, 1, 2, 3]);
  const body = type === 1 ? bytes(below(200)) : bytes(below(6) === 0 ? below(20) : pick(BODIES));
  return frame(type, pick(IDS), body, flags, below(20) === 0 ? below(2 ** 24) : undefined);
}

export async function mux(): Promise<readonly Target[]> {
  const roles = ['server', 'client'] as const;
  return roles.map(
    (role): Target => ({
      name: `mux.${role}`,
      make(random) {
        const frames = Array.from({ length: 1 + random.below(MOST_FRAMES) }, () => randomFrame(random));
        const bytes = Buffer.concat(frames);
        return random.below(3) === 0 ? changed(bytes, random, frames) : bytes;
      },
      async run(input) {
        const { session, peer, transport } = sessionAndPeer({ role });
        session.on('stream', (stream: MuxStream) => stream.on('error', () => {}).pipe(stream));
        session
          .open()
          .on('error', () => {})
          .write('ours');
        for (let at = 0; at < input.length; at += CHUNK) peer.send(input.subarray(at, at + CHUNK));
        await settle(TURNS);
        transport.destroy();
        const ended = await Promise.race([session.closed, settle(1000)]);
        if (!ended) throw new Finding('does not end with its transport');
      },
    }),
  );
}
