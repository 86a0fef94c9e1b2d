/** What all servers of an engine may take together, `engine.limits` of the configuration. */

import type { EngineConfig } from '../config/schema.js';
import type { Logger } from '../log.js';
import type { ListenerTotals } from '../transports/gate.js';
import { HandshakePool } from '../transports/handshakepool.js';
import { TokenBucket } from '../transports/tokenbucket.js';
import { Overload } from './overload.js';
import { PendingBytes } from './pending-bytes.js';

const NONE: EngineConfig['limits'] = {
  connections: Number.POSITIVE_INFINITY,
  acceptsPerSecond: Number.POSITIVE_INFINITY,
  handshakes: Number.POSITIVE_INFINITY,
  pendingHandshakes: Number.POSITIVE_INFINITY,
  pendingBytes: Number.POSITIVE_INFINITY,
  lagSeconds: 0,
};

export class EngineLimits implements ListenerTotals {
  readonly handshakes: HandshakePool;
  readonly pending: PendingBytes;
  overload: Overload;
  private readonly limits: EngineConfig['limits'];
  /** Whether memory is short; set by who looks after it. */
  memory: { readonly refusing: boolean } | undefined;
  private arrivals: TokenBucket;

  /** `clients`: those of all servers and links. Without `limits` there are none. */
  constructor(
    private readonly clients: { readonly size: number },
    private readonly log: Logger,
    limits = NONE,
  ) {
    this.limits = { ...limits };
    this.handshakes = new HandshakePool(this.limits);
    this.pending = new PendingBytes(this.limits, clients);
    this.overload = new Overload(limits.lagSeconds, log);
    this.arrivals = new TokenBucket(limits.acceptsPerSecond);
  }

  /** Puts other limits in effect. Clients that are more than these allow stay. */
  reconfigure(limits: EngineConfig['limits']): void {
    const { acceptsPerSecond, lagSeconds } = this.limits;
    Object.assign(this.limits, limits);
    if (limits.acceptsPerSecond !== acceptsPerSecond)
      this.arrivals = new TokenBucket(limits.acceptsPerSecond);
    if (limits.lagSeconds === lagSeconds) return;
    this.overload.stop();
    this.overload = new Overload(limits.lagSeconds, this.log);
    this.overload.start();
  }

  admit(): ReturnType<ListenerTotals['admit']> {
    const { connections, acceptsPerSecond } = this.limits;
    if (this.overload.active) return { counter: 'refusedOverload', why: 'the engine is overloaded' };
    if (this.memory?.refusing) return { counter: 'refusedMemory', why: 'memory is short' };
    if (this.clients.size >= connections)
      return { counter: 'refusedTotal', why: `the engine has ${connections} clients, the most allowed` };
    if (!this.arrivals.take())
      return {
        counter: 'refusedTotalRate',
        why: `more than ${acceptsPerSecond} new ones a second at all servers`,
      };
    return undefined;
  }

  /** Begins to watch the process. */
  open(): void {
    this.overload.start();
  }

  /** Ends what watches the process. */
  close(): void {
    this.overload.stop();
  }
}
