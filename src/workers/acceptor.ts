/** Accepts the connections of one server for the workers. */

import { createServer, type Server, type Socket } from 'node:net';
import type { ServerConfig } from '../config/schema.js';
import { type Logger, LogThrottle } from '../log.js';
import { addressGroup, formatAddress } from '../transports/address.js';
import { listenerCounters } from '../transports/connection.js';
import { socketError } from '../transports/failure.js';
import { Gate } from '../transports/gate.js';
import { listen } from '../transports/streamlistener.js';
import type { PassedSocket } from './child.js';
import type { BoundAddress } from './messages.js';

export class Acceptor implements BoundAddress {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly counters = { ...listenerCounters(), refusedBusy: 0 };
  /** Connections that workers have, or are to have. */
  open = 0;
  private readonly throttle = new LogThrottle();

  /** Listens where the configuration says. Rejects as `listen` of streamlistener.ts does. */
  static async open(
    config: ServerConfig,
    pass: (passed: PassedSocket) => boolean,
    log: Logger,
  ): Promise<Acceptor> {
    // Nothing of a connection is read here.
    const server = createServer({ pauseOnConnect: true });
    await listen(server, { host: config.bind, port: config.port });
    return new Acceptor(server, config, pass, log);
  }

  private constructor(
    private readonly server: Server,
    config: ServerConfig,
    /** Gives a connection to a worker; false when none takes it. */
    private readonly pass: (passed: PassedSocket) => boolean,
    private readonly log: Logger,
  ) {
    const { address, port } = server.address() as { address: string; port: number };
    this.name = config.name;
    this.address = formatAddress(address, port);
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
