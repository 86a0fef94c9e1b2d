/** Clients for tests of WebSocket servers. */

import { type ClientOptions, WebSocket } from 'ws';
import { until } from './engine.js';

/** A WebSocket client that keeps what it received. */
export class WebClient {
  /** Text messages as strings, binary ones as Buffers. */
  readonly received: (string | Buffer)[] = [];
  /** Code and reason, once it is closed. */
  closed: [code: number, reason: string] | undefined;
  pongs = 0;

  private constructor(readonly ws: WebSocket) {
    ws.on('message', (data: Buffer, isBinary) => {
      this.received.push(isBinary ? data : data.toString('utf8'));
    });
    ws.on('pong', () => this.pongs++);
    ws.on('error', () => {});
    ws.on('close', (code, reason) => {
      this.closed = [code, reason.toString('utf8')];
    });
  }

  /** Connects, over TLS with a `ca`; rejects with the server's refusal ("Unexpected server response: 404"). */
  static async connect(
    port: number,
    path = '/',
    subprotocols: string[] = [],
    options: ClientOptions = {},
  ): Promise<WebClient> {
    const scheme = options.ca === undefined ? 'ws' : 'wss';
    const ws = new WebSocket(`${scheme}://127.0.0.1:${port}${path}`, subprotocols, {
      perMessageDeflate: false,
      ...options,
    });
    const client = new WebClient(ws);
    await new Promise((resolve, reject) => ws.once('open', resolve).once('error', reject));
    return client;
  }

  send(data: string | Uint8Array): void {
    this.ws.send(data);
  }

  /** Resolves once the n-th message is there, to it. */
  async message(n: number): Promise<string | Buffer> {
    await until(
      () => this.received.length >= n,
      () => `received ${JSON.stringify(this.received)}, closed ${this.closed}`,
    );
    return this.received[n - 1]!;
  }

  /** Resolves once it is closed, to code and reason. */
  async end(): Promise<[code: number, reason: string]> {
    await until(() => this.closed !== undefined);
    return this.closed!;
  }
}
