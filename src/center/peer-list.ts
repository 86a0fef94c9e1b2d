/** Keeps every engine informed of the others, changes gathered for a moment. */

import { MoonwireError } from '../errors.js';
import { encodeMessage } from '../uplink/message-stream.js';
import { PEERS_PER_MESSAGE, type Peer } from '../uplink/messages.js';
import type { EngineSession } from './engine-session.js';

const GATHER_MS = 100;

/** The list of engines as they are told of it. */
export class PeerList {
  private readonly engines = new Map<number, EngineSession>();
  /** Nodes that came, changed or went since engines were last told. */
  private readonly changed = new Set<number>();
  private timer: NodeJS.Timeout | undefined;

  /** Welcomes an engine, whose older session was removed, with the list of the others; tells them of it. */
  add(engine: EngineSession): void {
    const list = Array.from(this.engines.values(), ({ peer }) => peer);
    engine.welcome(list.slice(0, PEERS_PER_MESSAGE));
    for (const bytes of encode(list.slice(PEERS_PER_MESSAGE), [])) engine.tell(bytes);
    this.engines.set(engine.node, engine);
    this.note(engine.node);
  }

  remove(engine: EngineSession): void {
    if (this.engines.get(engine.node) !== engine) return;
    this.engines.delete(engine.node);
    this.note(engine.node);
  }

  /** Tells nobody any more. */
  stop(): void {
    clearTimeout(this.timer);
  }

  private note(node: number): void {
    this.changed.add(node);
    this.timer ??= setTimeout(() => this.tellAll(), GATHER_MS).unref();
  }

  /** The same bytes for all, made once; an engine that finds itself among them knows that already. */
  private tellAll(): void {
    this.timer = undefined;
    const peers: Peer[] = [];
    const gone: number[] = [];
    for (const node of this.changed) {
      const engine = this.engines.get(node);
      if (engine) peers.push(engine.peer);
      else gone.push(node);
    }
    this.changed.clear();
    for (const bytes of encode(peers, gone)) for (const engine of this.engines.values()) engine.tell(bytes);
  }
}

/** As many messages as it takes. */
function encode(peers: readonly Peer[], gone: readonly number[]): Uint8Array[] {
  const messages: Uint8Array[] = [];
  for (let at = 0; at < Math.max(peers.length, gone.length); at += PEERS_PER_MESSAGE) {
    const end = at + PEERS_PER_MESSAGE;
    const bytes = encodeMessage({ t: 'peers', peers: peers.slice(at, end), gone: gone.slice(at, end) });
    // It cannot fail: what engines say of themselves was checked, and is far below the size of a message.
    if (!(bytes instanceof MoonwireError)) messages.push(bytes);
  }
  return messages;
}
