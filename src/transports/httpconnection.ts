import {
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type ServerResponse,
  validateHeaderName,
  validateHeaderValue,
} from 'node:http';
import type { Socket } from 'node:net';
import { MoonwireError } from '../errors.js';
import { formatAddress } from './address.js';
import type { TlsFacts } from './connection.js';
import { Endpoint } from './endpoint.js';
import { tlsFacts } from './tlsfacts.js';

const OWNER = Symbol('connection');
type OwnedSocket = Socket & { [OWNER]?: HttpConnection };

/** Requests of one connection that may wait for the answer to the one before; with more it is cut. */
const MAX_WAITING = 64;
/** Requests from which on nothing more is read. */
const ENOUGH_WAITING = 8;
/** What is still sent of a body that is refused is read for so long, since a reset could overtake the answer. */
const LINGER_MS = 2000;

/** What all connections of a server share. */
export interface HttpSettings {
  /** Longest body of a request, in bytes. */
  readonly bodyBytes: number;
  /** A request is refused. */
  refused(why: string): void;
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** The client sends the body once it is asked to (`Expect: 100-continue`). */
  readonly hesitant: boolean;
}

/**
 * A connection over HTTP/1.1. Its owner gets one request at a time: the body as `data`, the rest by {@link request},
 * and the next one after {@link answer}, so pipelined requests are answered in their order.
 */
export class HttpConnection extends Endpoint {
  readonly transport = 'http';
  readonly datagram = true;
  readonly speaks = 'http';
  /** Kept as text, because a closed socket no longer knows it. */
  readonly remote: string;
  /** When it last changed whether the owner has a request, by `performance.now()`. */
  since = performance.now();
  /** The first one is the one at hand. */
  private readonly line: Exchange[] = [];
  /** The owner has the request at hand. */
  private asked = false;
  /** The connection ends with the answer to the request at hand. */
  private last = false;

  constructor(
    private readonly socket: Socket,
    private readonly settings: HttpSettings,
  ) {
    super();
    this.remote = formatAddress(socket.remoteAddress, socket.remotePort);
    (socket as OwnedSocket)[OWNER] = this;
    socket.on('close', onClose);
  }

  /** The one over a socket, if there is one. */
  static over(socket: object): HttpConnection | undefined {
    return (socket as OwnedSocket)[OWNER];
  }

  get local(): string {
    return formatAddress(this.socket.localAddress, this.socket.localPort);
  }

  tls(): TlsFacts | undefined {
    return tlsFacts(this.socket);
  }

  get pendingBytes(): number {
    return this.socket.destroyed ? 0 : this.socket.writableLength;
  }

  /** The request that the owner was handed, until it is answered. */
  get request(): IncomingMessage | undefined {
    return this.asked ? this.line[0]?.request : undefined;
  }

  /** Whether no request is here, or on its way. */
  get idle(): boolean {
    return this.line.length === 0;
  }

  /** A request came. */
  take(exchange: Exchange): void {
    if (this.closed || this.last) return;
    this.line.push(exchange);
    exchange.response.on('close', () => this.answered(exchange));
    if (this.line.length === 1) this.begin();
    else if (this.line.length > MAX_WAITING) this.overrun();
    else if (this.line.length > ENOUGH_WAITING) this.socket.pause();
  }

  /**
   * Answers the request at hand. Throws TypeError, and has answered nothing, for headers that cannot be sent. When it
   * was answered already, or its client has gone, nothing is done.
   */
  answer(status: number, headers: OutgoingHttpHeaders, body: Uint8Array): void {
    const [exchange] = this.line;
    if (!this.asked || !exchange || exchange.response.headersSent) return;
    // Node's own check comes too late: the status has been set then.
    for (const [name, value] of Object.entries(headers)) {
      validateHeaderName(name);
      for (const item of [value].flat()) validateHeaderValue(name, String(item));
    }
    const length = status !== 204 && { 'Content-Length': body.length };
    const last = (this.closed || this.last) && { Connection: 'close' };
    exchange.response.writeHead(status, { ...headers, ...length, ...last });
    this.asked = false;
    this.since = performance.now();
    exchange.response.end(body);
  }

  /** Whether an answer is still to come, or on its way. */
  get answers(): boolean {
    const [exchange] = this.line;
    return exchange !== undefined && (exchange.request.complete || exchange.response.headersSent);
  }

  /** What follows cannot be read as HTTP: the connection ends with the answer to the request at hand, if one is. */
  spoiled(): void {
    this.line.splice(1);
    this.last = true;
    if (!this.answers) this.end();
  }

  /** Lets go of the socket, over which another protocol is spoken from now on; false while a request is here. */
  leave(): boolean {
    if (this.line.length > 0) return false;
    this.socket.off('close', onClose);
    (this.socket as OwnedSocket)[OWNER] = undefined;
    this.finish();
    return true;
  }

  /** Answers alone are sent. */
  write(): void {}

  /** The next request waits for the answer to the one at hand anyway. */
  pause(): void {}

  resume(): void {}

  /** A request that the owner has is answered as one that failed. */
  override destroy(error?: Error): void {
    if (!this.over && this.request && !this.line[0]!.response.headersSent) {
      const stopping = error instanceof MoonwireError && error.code === 'closed';
      this.line[0]!.response.writeHead(stopping ? 503 : 500, {
        Connection: 'close',
        'Content-Length': 0,
      }).end();
    }
    super.destroy(error);
  }

  protected start(): void {
    this.begin();
  }

  /** The owner answers the request it has; others are not begun. */
  protected flushAndClose(): void {
    if (!this.asked) this.socket.destroySoon();
  }

  protected abort(): void {
    this.socket.destroySoon();
    // A peer that takes nothing does not hold it.
    setTimeout(() => this.socket.destroy(), LINGER_MS).unref();
  }

  /** Reads the body of the first request in line, and hands it to the owner. */
  private begin(): void {
    const [exchange] = this.line;
    if (!exchange || !this.handler || this.closed) return;
    const { request, response, hesitant } = exchange;
    const { bodyBytes } = this.settings;
    if (Number(request.headers['content-length'] ?? 0) > bodyBytes) {
      this.refuse(exchange);
      return;
    }
    if (hesitant) response.writeContinue();
    const chunks: Buffer[] = [];
    let length = 0;
    const onData = (chunk: Buffer): void => {
      length += chunk.length;
      if (length <= bodyBytes) {
        chunks.push(chunk);
        return;
      }
      request.off('data', onData).off('end', onEnd);
      this.refuse(exchange);
    };
    const onEnd = (): void => {
      if (this.closed) return;
      this.asked = true;
      this.since = performance.now();
      this.handler!.data(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, length));
    };
    request.on('data', onData).on('end', onEnd);
  }

  /** The body is too large. */
  private refuse({ request, response }: Exchange): void {
    const { bodyBytes, refused } = this.settings;
    const text = `A request has a body of at most ${bodyBytes} bytes here.\n`;
    refused(`a body of more than ${bodyBytes} bytes`);
    this.line.splice(1);
    this.last = true;
    response.writeHead(413, {
      Connection: 'close',
      'Content-Type': 'text/plain',
      'Content-Length': Buffer.byteLength(text),
    });
    response.write(text);
    const end = (): void => {
      clearTimeout(timer);
      response.end();
    };
    const timer = setTimeout(end, LINGER_MS).unref();
    request.once('end', end).once('close', end).resume();
  }

  /** The answer to the first request has left, or cannot. */
  private answered(exchange: Exchange): void {
    if (this.line[0] !== exchange) return;
    this.asked = false;
    this.since = performance.now();
    this.line.shift();
    if (this.closed || this.last) {
      this.socket.destroySoon();
      return;
    }
    this.begin();
    if (this.line.length <= ENOUGH_WAITING && this.socket.isPaused()) this.socket.resume();
  }

  private overrun(): void {
    this.settings.refused(`more than ${MAX_WAITING} requests before the answer to the first`);
    this.destroy(new MoonwireError('overloaded', `more than ${MAX_WAITING} requests at once`, this.remote));
  }

  /** The socket tells: it is closed. */
  released(): void {
    this.finish();
  }
}

function onClose(this: OwnedSocket): void {
  this[OWNER]?.released();
}
