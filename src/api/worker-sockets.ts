/** The WebSockets of one API: takes them in on `upgrade`, and looks after them until it ends. */

import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { WebSocketServer } from 'ws';
import { MoonwireError, messageOf } from '../errors.js';
import type { Logger } from '../log.js';
import type { Caller } from './access.js';
import type { ApiHost } from './host.js';
import { PROBLEM_TYPE, problemOf } from './problem.js';
import { stallWatch } from './stall.js';
import { WorkerSocket, type WorkerSocketCounters, type WorkerSocketLimits } from './worker-socket.js';

/** Where they are. */
const PATH = '/ws/v1';

/** What they may take. */
export interface WorkerSocketsOptions extends WorkerSocketLimits {
  /** A peer that takes nothing for so long is closed. */
  readonly stallMs: number;
  /** Longest message in bytes. */
  readonly messageBytes: number;
}

export class WorkerSockets {
  readonly counters: WorkerSocketCounters = {
    opened: 0,
    closed: 0,
    closedSlow: 0,
    closedIdle: 0,
    unwritable: 0,
  };
  private readonly sockets = new Set<WorkerSocket>();
  private readonly checks: NodeJS.Timeout;
  private server: Promise<WebSocketServer> | undefined;
  private closed = false;

  constructor(
    private readonly host: ApiHost,
    private readonly enter: (request: IncomingMessage) => Caller,
    private readonly options: WorkerSocketsOptions,
    private readonly log: Logger,
  ) {
    const every = Math.min(5000, options.idleMs / 4, options.stallMs / 4);
    this.checks = setInterval(() => {
      const now = performance.now();
      for (const socket of this.sockets) socket.check(now);
    }, every).unref();
  }

  /** For the `upgrade` event of the HTTP server. */
  async upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const ignore = (): void => {};
    socket.on('error', ignore);
    try {
      if (request.url?.split('?')[0] !== PATH)
        throw new MoonwireError('not_found', `WebSockets are at ${PATH}`);
      const caller = this.enter(request);
      this.server ??= this.load();
      const server = await this.server;
      if (this.closed || socket.destroyed) {
        socket.destroy();
        return;
      }
      socket.off('error', ignore);
      server.handleUpgrade(request, socket, head, (webSocket) => {
        const worker = new WorkerSocket(
          webSocket,
          this.host,
          caller,
          this.options,
          stallWatch(request.socket, this.options.stallMs),
          this.counters,
          this.log,
        );
        this.sockets.add(worker);
        webSocket.on('close', () => this.sockets.delete(worker));
      });
    } catch (error) {
      this.refuse(socket, error);
    }
  }

  /** Closes all, saying so. */
  close(): void {
    this.closed = true;
    clearInterval(this.checks);
    for (const socket of this.sockets) socket.close();
  }

  /** Ends those that are still there. */
  terminate(): void {
    for (const socket of this.sockets) socket.terminate();
  }

  /** Loaded with the first WebSocket: many engines never see one. */
  private async load(): Promise<WebSocketServer> {
    const { WebSocketServer } = await import('ws');
    return new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: this.options.messageBytes,
      // One message a turn: a flood of small ones, thousands in a chunk, would hold up everybody else for seconds.
      allowSynchronousEvents: false,
    });
  }

  private refuse(socket: Duplex, error: unknown): void {
    if (!(error instanceof MoonwireError)) this.log.error(`API WebSocket: ${messageOf(error)}`);
    const problem = problemOf(error);
    const body = JSON.stringify(problem);
    socket.end(
      [
        `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}`,
        'Connection: close',
        `Content-Type: ${PROBLEM_TYPE}`,
        `Content-Length: ${Buffer.byteLength(body)}`,
        ...(problem.status === 401 ? [`WWW-Authenticate: ${CHALLENGE}`] : []),
        '',
        body,
      ].join('\r\n'),
      // What the peer still sends is not read; without this half of the connection would stay.
      () => socket.destroy(),
    );
  }
}

/** What a 401 asks for (RFC 7617). */
export const CHALLENGE = 'Basic realm="moonwire", charset="UTF-8"';
