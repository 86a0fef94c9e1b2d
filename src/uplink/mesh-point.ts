/** The mesh point: where other engines arrive. Until they have proved themselves they are few, and have little time. */

import { createServer, type Server, type Socket } from 'node:net';
import { MoonwireError, messageOf } from '../errors.js';
import { type Logger, LogThrottle } from '../log.js';
import { Session, TypedSession } from '../mux/index.js';
import { formatAddress } from '../transports/address.js';
import { type Acceptor, acceptProof, MESH_SESSION, type MeshRefusal, type MeshSelf } from './mesh-proof.js';
import type { MessageStream } from './message-stream.js';
import type { Peer } from './messages.js';

/** Where a mesh point listens, and its bounds. */
export interface MeshPointOptions {
  readonly host: string;
  /** 0 takes any free one. */
  readonly port: number;
  /** Connections that have not proved themselves at a time; 64. Further ones are closed at once. */
  readonly maxUnproved?: number;
  /** Milliseconds a connection has for its proof; 10,000. */
  readonly proofMs?: number;
}

/** Counters of a mesh point, rising for ever; names are metric labels. */
export interface MeshPointCounters {
  accepted: number;
  /** Closed because too many had not proved themselves. */
  refusedLimit: number;
}

/** What the owner of a mesh point decides, and is told of the sessions that arrive. */
export interface Arrivals extends Pick<Acceptor, 'find' | 'admits'> {
  proved(peer: Peer, typed: TypedSession, control: MessageStream): void;
  refused(refusal: MeshRefusal): void;
}

/** A listening mesh point. */
export class MeshPoint {
  readonly counters: MeshPointCounters = { accepted: 0, refusedLimit: 0 };
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();
  private readonly throttle = new LogThrottle();
  private readonly maxUnproved: number;
  private readonly proofMs: number;
  private unproved = 0;

  constructor(
    private readonly options: MeshPointOptions,
    private readonly self: MeshSelf,
    private readonly arrivals: Arrivals,
    private readonly log: Logger,
  ) {
    this.maxUnproved = options.maxUnproved ?? 64;
    this.proofMs = options.proofMs ?? 10_000;
    this.server = createServer({ noDelay: true }, (socket) => this.accept(socket));
  }

  /** The bound port; 0 before `start` and after `stop`. */
  get port(): number {
    const address = this.server.address();
    return typeof address === 'object' && address ? address.port : 0;
  }

  /** Listens. Rejects with a MoonwireError `conflict` when that is impossible. */
  async start(): Promise<void> {
    const { host, port } = this.options;
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', reject).listen({ host, port }, () => {
        this.server.off('error', reject);
        resolve();
      });
    }).catch((error: unknown) => {
      const where = formatAddress(host, port);
      throw new MoonwireError('conflict', `the mesh point cannot listen: ${messageOf(error)}`, where);
    });
    // A failed accept (too many open files): the server goes on.
    this.server.on('error', (error) => this.warn('accept', `accept failed: ${error.message}`));
  }

  /** Stops listening and ends all connections. */
  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve));
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  private accept(socket: Socket): void {
    if (this.unproved >= this.maxUnproved) {
      this.counters.refusedLimit++;
      this.warn('limit', `connection refused: ${this.maxUnproved} have not proved themselves yet`);
      socket.on('error', () => {}).resetAndDestroy();
      return;
    }
    this.counters.accepted++;
    this.unproved++;
    this.sockets.add(socket);
    const remote = formatAddress(socket.remoteAddress, socket.remotePort);
    const typed = new TypedSession(new Session(socket, { role: 'server', ...MESH_SESSION }));
    let proved = false;
    socket.once('close', () => {
      this.sockets.delete(socket);
      if (!proved) this.unproved--;
    });
    const { arrivals } = this;
    acceptProof(typed, this.self, this.proofMs, {
      find: arrivals.find,
      admits: arrivals.admits,
      proved: (peer, control) => {
        proved = true;
        this.unproved--;
        arrivals.proved(peer, typed, control);
      },
      refused: (refusal) => {
        arrivals.refused(refusal);
        this.warn(refusal.code, `${refusal.code}: ${refusal.text}`, remote);
      },
    });
  }

  private warn(key: string, message: string, remote?: string): void {
    const suppressed = this.throttle.pass(key);
    if (suppressed >= 0) this.log.warn(`mesh point: ${message}`, { remote, suppressed });
  }
}
