/** Requests and their answers on a control stream, both ways. */

import { ERROR_CODES, type ErrorCode, MoonwireError, messageOf } from '../errors.js';
import type { Message, ReqMessage, ResMessage } from './messages.js';
import { isText } from './sendable.js';

/** Answers the requests of one method: a plain value, or a rejection that is told with its code and message. */
export type RequestHandler = (params: unknown) => unknown;
/** Handlers by method. */
export type RequestHandlers = ReadonlyMap<string, RequestHandler>;

/** Bounds of requests. */
export interface RequestOptions {
  /** Milliseconds an answer may take; 10,000. */
  readonly timeoutMs?: number;
  /** Requests that may be open in each direction; 1000. */
  readonly maxOpen?: number;
}

interface Waiting {
  resolve(result: unknown): void;
  reject(error: MoonwireError): void;
  readonly timer: NodeJS.Timeout;
}

/** The requests of one control stream, or of whatever else carries messages. */
export class Requests {
  private readonly waiting = new Map<number, Waiting>();
  private readonly timeoutMs: number;
  private readonly maxOpen: number;
  private nextId = 1;
  /** Requests of the peer that are being answered. */
  private answering = 0;

  constructor(
    private readonly control: { send(message: Message): MoonwireError | undefined },
    private readonly handlers: RequestHandlers,
    options: RequestOptions = {},
  ) {
    this.timeoutMs = options.timeoutMs ?? 10_000;
    this.maxOpen = options.maxOpen ?? 1000;
  }

  /**
   * Asks the peer. Rejects with the MoonwireError it answers, or `overloaded` when too many requests are open,
   * `timeout`, `not_connected` when the stream ends first.
   */
  request(method: string, params?: unknown, timeoutMs = this.timeoutMs): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.waiting.size >= this.maxOpen) {
        reject(new MoonwireError('overloaded', `${this.maxOpen} requests wait for their answers`, method));
        return;
      }
      const id = this.nextId++;
      const error = this.send({ t: 'req', id, m: method, p: params });
      if (error) {
        reject(error.code === 'closed' ? new MoonwireError('not_connected', error.message, method) : error);
        return;
      }
      const timer = setTimeout(() => {
        this.waiting.delete(id);
        reject(new MoonwireError('timeout', `no answer within ${timeoutMs} ms`, method));
      }, timeoutMs);
      this.waiting.set(id, { resolve, reject, timer });
    });
  }

  /** Takes a message that may be one of these; false when it is not. */
  receive(message: Message): boolean {
    if (message.t === 'req') this.answer(message);
    else if (message.t === 'res') this.settle(message);
    else return false;
    return true;
  }

  /** The stream has ended: open requests fail. */
  end(): void {
    for (const { reject, timer } of this.waiting.values()) {
      clearTimeout(timer);
      reject(new MoonwireError('not_connected', 'the connection ended before the answer came'));
    }
    this.waiting.clear();
  }

  private settle({ id, r, e }: ResMessage): void {
    const waiting = this.waiting.get(id);
    if (!waiting) return;
    this.waiting.delete(id);
    clearTimeout(waiting.timer);
    if (!e) waiting.resolve(r);
    else waiting.reject(new MoonwireError(isErrorCode(e.code) ? e.code : 'internal', e.text));
  }

  private answer({ id, m, p }: ReqMessage): void {
    const handler = this.handlers.get(m);
    if (!handler) {
      this.sendError(id, new MoonwireError('not_found', `no method ${m}`));
    } else if (this.answering >= this.maxOpen) {
      this.sendError(id, new MoonwireError('overloaded', `${this.maxOpen} requests are being answered`));
    } else {
      this.answering++;
      this.run(handler, p)
        .then(
          (result) => {
            const error = this.send({ t: 'res', id, r: result });
            if (error) this.sendError(id, error);
          },
          (error: unknown) => this.sendError(id, error),
        )
        .finally(() => {
          this.answering--;
        });
    }
  }

  /** As `MessageStream.send`; refuses what the peer would end the stream for. */
  private send(message: ReqMessage | ResMessage): MoonwireError | undefined {
    if (isText(message)) return this.control.send(message);
    return new MoonwireError('invalid_argument', 'text with half a character in it');
  }

  private async run(handler: RequestHandler, params: unknown): Promise<unknown> {
    return handler(params);
  }

  private sendError(id: number, error: unknown): void {
    const code = error instanceof MoonwireError ? error.code : 'internal';
    // Through UTF-8 and back, since a message may quote anything.
    const text = Buffer.from(messageOf(error).slice(0, 4095)).toString();
    this.control.send({ t: 'res', id, e: { code, text } });
  }
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERROR_CODES, code);
}
