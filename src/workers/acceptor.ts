/** Accepts the connections of one server for the workers. */

import { createServer, type Server, type Socket } from 'node:net';
import type { ServerConfig } from '../config/schema.js';
import { type Logger, LogThrottle } from '../log.js';
import { addressGroup } from '../transports/address.js';
import { listenerCounters } from '../transports/connection.js';
import { socketError } from '../transports/failure.js';
import { Gate } from '../transports/gate.js';
import { acceptOn, boundTo, type Handle, HeldAccepts, handleOf, listenOn } from '../transports/handles.js';
import type { Passage } from '../transports/movable.js';
import { BACKLOG, listen } from '../transports/streamlistener.js';
import type { PassedSocket } from './child.js';
import type { BoundAddress } from './messages.js';

/** Where a server listens; one that another primary has is taken over only there. */
export function whereOf({ bind, port }: ServerConfig): string {
  return JSON.stringify([bind, port]);
}

export class Acceptor implements BoundAddress {
  readonly name: string;
  /** See {@link whereOf}. */
  readonly where: string;
  readonly address: string;
  readonly port: number;
  readonly counters = { ...listenerCounters(), refusedBusy: 0 };
  /** Connections that workers have, or are to have. */
  open = 0;
  private readonly throttle = new LogThrottle();
  private held: HeldAccepts | undefined;
  /** How many of those held another process has. */
  private passed = 0;

  /**
   * Listens where the configuration says; on what another primary listened on, `inherited`, once it is thawed. Rejects
   * as `listen` of streamlistener.ts does.
   */
  static async open(
    config: ServerConfig,
    pass: (passed: PassedSocket) => boolean,
    log: Logger,
    inherited?: Passage,
  ): Promise<Acceptor> {
    // Nothing of a connection is read here.
    const server = createServer({ pauseOnConnect: true });
    await listen(server, { host: config.bind, port: config.port, inherited });
    return new Acceptor(server, config, pass, log, inherited);
  }

  private constructor(
    private readonly server: Server,
    config: ServerConfig,
    /** Gives a connection to a worker; false when none takes it. */
    private readonly pass: (passed: PassedSocket) => boolean,
    private readonly log: Logger,
    private inherited: Passage | undefined,
  ) {
    const { address, port } = boundTo(inherited?.handle ?? handleOf(server)!);
    this.name = config.name;
    this.where = whereOf(config);
    this.address = address;
    this.port = port;
    const { connections, acceptsPerSecond } = config.limits;
    const gate = new Gate({ acceptsPerSecond }, this.counters);
    server.on('connection', (socket) => this.accept(socket, gate, connections));
    server.on('error', (error) =>
      this.warn('accept', `accept failed: ${socketError(error, this.address).message}`),
    );
    log.info(`listening on ${config.transport} ${this.address}${config.tls ? ' with TLS' : ''}`);
  }

  /** Stops listening; resolves when the port is free. */
  close(): Promise<void> {
    this.server.close();
    return new Promise((resolve) => setImmediate(resolve));
  }

  /** Accepts no more; what comes is held. */
  freeze(): void {
    const handle = handleOf(this.server);
    if (handle && !this.held) this.held = new HeldAccepts(handle);
  }

  /** Goes on, or begins to listen on what it inherited. */
  thaw(): void {
    const { inherited, held } = this;
    this.inherited = undefined;
    this.held = undefined;
    if (inherited?.handle) listenOn(this.server, inherited.handle, BACKLOG, inherited.accepted ?? []);
    held?.end();
  }

  /** What another primary listens on, while it is frozen. */
  passage(): { readonly handle: Handle; readonly accepted: readonly Handle[] } {
    const accepted = [...(this.held?.handles ?? [])];
    this.passed = accepted.length;
    return { handle: handleOf(this.server)!, accepted };
  }

  /** Another primary listens: closes it here. Returns what was accepted since {@link passage}. */
  letGo(): Handle[] {
    void this.close();
    return this.held?.handles.slice(this.passed) ?? [];
  }

  /** Takes a connection that another primary accepted. */
  receive(accepted: Handle): void {
    acceptOn(this.server, accepted);
  }

  /** Gives a connection that was let in to a worker, or closes it when none takes it. */
  offer(passed: PassedSocket): void {
    if (this.pass(passed)) return;
    this.open--;
    this.counters.refusedBusy++;
    this.refuse(passed.socket, 'busy', 'no worker takes it');
  }

  private accept(socket: Socket, gate: Gate, most: number): void {
    // The peer may go while the connection is on its way, which is the worker's to find out.
    socket.on('error', () => {});
    const address = socket.remoteAddress ?? '';
    if (this.open >= most) {
      this.counters.refusedLimit++;
      this.refuse(socket, 'limit', `${most} are open, the most allowed`);
      return;
    }
    const refusal = gate.admit(address);
    if (refusal) {
      this.refuse(socket, refusal.counter, refusal.why);
      return;
    }
    this.open++;
    this.offer({ socket, server: this.name, address: addressGroup(address) });
  }

  private refuse(socket: Socket, key: string, why: string): void {
    this.warn(key, `connection refused: ${why}`);
    socket.resetAndDestroy();
  }

  /** Logs at most every 5 s for each `key`. */
  private warn(key: string, message: string): void {
    const suppressed = this.throttle.pass(key);
    if (suppressed >= 0) this.log.warn(message, { server: this.address, suppressed });
  }
}
