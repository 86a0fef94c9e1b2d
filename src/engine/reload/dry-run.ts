/** New protocol code is tried on the frames that came last, before it gets any that counts. */

import { setImmediate as turn } from 'node:timers/promises';
import { Failure, messageOf } from '../../errors.js';
import type { Program } from '../program.js';
import type { Protocol, ProtocolPeer } from '../protocol.js';
import type { RecentFrames } from '../recent-frames.js';

/** Share of the frames which the old code decodes that the new one may refuse. */
const MAX_REFUSED = 0.1;
/** Frames between which others have their turn. */
const A_TURN = 32;
/** Bytes of a frame that a refusal shows. */
const EXCERPT = 32;

/** Why the new code is not to be trusted with what devices send; undefined when nothing speaks against it. */
export async function dryRun(
  { protocol: old }: Program,
  { protocol: fresh }: Program,
  recent: RecentFrames,
): Promise<string | undefined> {
  if (!fresh.isModule || !old.isModule || !fresh.decodes) return undefined;
  const before = new Attempts(old);
  const after = new Attempts(fresh);
  let decoded = 0;
  const refused: string[] = [];
  let count = 0;
  for (const { client, frame } of [...recent.received()]) {
    if (++count % A_TURN === 0) await turn();
    if (before.problem(client, frame) !== undefined) continue;
    decoded++;
    const problem = after.problem(client, frame);
    if (problem === undefined) continue;
    const hex = Buffer.from(frame.subarray(0, EXCERPT)).toString('hex');
    if (problem.raised) return `decode fails on a frame that came: ${problem.message} (${hex})`;
    refused.push(`${problem.message} (${hex})`);
  }
  if (refused.length <= decoded * MAX_REFUSED) return undefined;
  return `decode refuses ${refused.length} of the last ${decoded} frames: ${refused[0]}`;
}

/** One protocol's attempts, with a session of its own for each client. */
class Attempts {
  private readonly peers = new Map<number, ProtocolPeer>();

  constructor(private readonly protocol: Protocol) {}

  problem(client: number, frame: Uint8Array): { message: string; raised: boolean } | undefined {
    let peer = this.peers.get(client);
    if (!peer) {
      peer = { session: undefined, conn: () => undefined };
      this.peers.set(client, peer);
    }
    try {
      const result = this.protocol.decode(frame, peer);
      return result instanceof Failure ? { message: result.message, raised: false } : undefined;
    } catch (error) {
      return { message: messageOf(error), raised: true };
    }
  }
}
