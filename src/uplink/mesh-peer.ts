/** Another engine as the mesh knows it: its path, its session, and the dialling that keeps one up. */

import { messageOf } from '../errors.js';
import type { Logger } from '../log.js';
import { Session, TypedSession } from '../mux/index.js';
import { dial } from './dial.js';
import { MeshPath } from './mesh-path.js';
import { dialProof, MESH_SESSION, type MeshRefusal, type MeshSelf } from './mesh-proof.js';
import type { MeshSession } from './mesh-session.js';
import type { MessageStream } from './message-stream.js';
import type { Peer } from './messages.js';
import type { PeerChannels } from './peer-channels.js';
import { isSameKey } from './proof.js';

/** How other engines are dialled. */
export interface MeshDialOptions {
  /** Milliseconds before the second attempt; each further one waits twice as long, up to the most. 500 and 60,000. */
  readonly minBackoffMs?: number;
  readonly maxBackoffMs?: number;
  /** Milliseconds the engine with the higher node number leaves the dialling to the other one; 2000. */
  readonly yieldMs?: number;
  /** Milliseconds for the connection, and again for the proof; 10,000. */
  readonly timeoutMs?: number;
}

/** What a peer tells the mesh. */
export interface MeshPeerEvents {
  dialled(typed: TypedSession, control: MessageStream): void;
  refused(refusal: MeshRefusal): void;
}

/** How many more engines may be dialled now; shared by all peers. */
export interface DialSlots {
  free: number;
}

const DEFAULTS = { minBackoffMs: 500, maxBackoffMs: 60_000, yieldMs: 2000, timeoutMs: 10_000 };

/** Milliseconds until the next look for a free slot. */
const SLOT_MS = 100;
/** A session that lasted this long resets the back-off. */
const STABLE_MS = 10_000;

/** One other engine. */
export class MeshPeer {
  readonly path = new MeshPath();
  /** Its channels as last announced; undefined before the first session. */
  channels: PeerChannels | undefined;
  /** Whether the centre names it now: only then it is dialled. */
  listed = true;
  private current: MeshSession | undefined;
  private readonly options: Required<MeshDialOptions>;
  private attempts = 0;
  private timer: NodeJS.Timeout | undefined;
  private abort: AbortController | undefined;

  constructor(
    private known: Peer,
    private readonly self: MeshSelf,
    private readonly events: MeshPeerEvents,
    private readonly log: Logger,
    private readonly slots: DialSlots,
    options: MeshDialOptions = {},
  ) {
    this.options = { ...DEFAULTS, ...options };
    this.schedule();
  }

  /** What the centre said of it last. */
  get info(): Peer {
    return this.known;
  }

  /** Its session, proved and perhaps not ready yet. */
  get session(): MeshSession | undefined {
    return this.current;
  }
  set session(session: MeshSession | undefined) {
    const last = this.current;
    this.current = session;
    if (session) {
      clearTimeout(this.timer);
      this.timer = undefined;
      return;
    }
    // One that ends soon after it began is no success.
    if (last && performance.now() - last.since > STABLE_MS) this.attempts = 0;
    this.attempts = Math.max(1, this.attempts);
    this.schedule();
  }

  /** The centre named the engine again, perhaps with another address or key. */
  update(info: Peer): void {
    const { known } = this;
    this.known = info;
    this.listed = true;
    if (!isSameKey(known.key, info.key)) this.current?.close('the engine has another key now');
    if (known.mesh !== info.mesh) {
      this.attempts = 0;
      clearTimeout(this.timer);
      this.timer = undefined;
    }
    this.schedule();
  }

  /** Dials no more and ends the session. */
  close(reason: string): void {
    this.listed = false;
    clearTimeout(this.timer);
    this.timer = undefined;
    this.abort?.abort();
    this.current?.close(reason);
  }

  /** Arranges for the next attempt, if one is due. */
  private schedule(): void {
    if (this.timer || this.abort || this.current || !this.listed || !this.known.mesh) return;
    const { minBackoffMs, maxBackoffMs, yieldMs } = this.options;
    // The lower number dials first, so that two engines that can reach each other do not do it at the same time.
    const first = this.self.node < this.known.node ? 0 : yieldMs;
    const backoff = this.attempts === 0 ? 0 : Math.min(maxBackoffMs, minBackoffMs * 2 ** (this.attempts - 1));
    this.attemptIn(first + backoff);
  }

  private attemptIn(ms: number): void {
    const jitter = 0.5 + Math.random() / 2;
    this.timer = setTimeout(() => this.attempt(), ms * jitter).unref();
  }

  private attempt(): void {
    if (this.slots.free === 0) {
      this.attemptIn(SLOT_MS);
      return;
    }
    this.timer = undefined;
    this.attempts++;
    this.slots.free--;
    this.abort = new AbortController();
    this.dial(this.abort.signal).catch((error: unknown) => this.conclude(messageOf(error)));
  }

  private async dial(signal: AbortSignal): Promise<void> {
    const { timeoutMs } = this.options;
    const address = splitAddress(this.known.mesh!);
    const socket = await dial({ scheme: 'tcp', ...address, path: '/' }, { timeoutMs, signal });
    const typed = new TypedSession(new Session(socket, { role: 'client', ...MESH_SESSION }));
    signal.addEventListener('abort', () => void typed.session.close());
    dialProof(typed, this.self, this.known, timeoutMs, {
      wanted: () => !this.current && this.listed,
      proved: (_peer, control) => {
        this.conclude();
        this.events.dialled(typed, control);
      },
      refused: (refusal) => {
        this.events.refused(refusal);
        this.conclude(`${refusal.code}: ${refusal.text}`);
      },
    });
  }

  /** The attempt is over. */
  private conclude(failure?: string): void {
    const { name, node, mesh } = this.known;
    if (failure) this.log.debug('no session', { engine: name, node, address: mesh, reason: failure });
    this.slots.free++;
    this.abort = undefined;
    this.schedule();
  }
}

/** Splits "host:port" or "[v6]:port". */
function splitAddress(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(':');
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(address.slice(colon + 1)) };
}
