/** One end of the channel between the primary and a worker. */

import { MoonwireError } from '../errors.js';
import { type RequestHandlers, Requests } from '../uplink/requests.js';

/** What both `process` and a child of it offer. */
export interface Port {
  send?(message: object, handle: undefined, options: undefined, done: (error: Error | null) => void): boolean;
  readonly connected?: boolean;
}

/** Messages that may wait for the other process; those beyond that can be done without are left out. */
const MAX_WAITING = 1000;

export class Channel<Out extends object> {
  /** Questions to the other process, and its own. */
  readonly requests: Requests;
  /** Messages left out since the other process did not read; rises. */
  leftOut = 0;
  private waiting = 0;
  private readonly sent = (): void => {
    this.waiting--;
  };

  constructor(
    private readonly port: Port,
    handlers: RequestHandlers = new Map(),
  ) {
    const send = (message: object): MoonwireError | undefined =>
      this.tell(message as Out) ? undefined : new MoonwireError('closed', 'the other process is gone');
    this.requests = new Requests({ send }, handlers);
  }

  /** Sends; false: the other process is gone. */
  tell(message: Out): boolean {
    if (!this.port.connected) return false;
    this.waiting++;
    this.port.send!(message, undefined, undefined, this.sent);
    return true;
  }

  /** Sends what can be done without; false: too much waits already, or the other process is gone. */
  offer(message: Out): boolean {
    if (this.waiting < MAX_WAITING && this.tell(message)) return true;
    this.leftOut++;
    return false;
  }

  /** It is over: open questions fail. */
  end(): void {
    this.requests.end();
  }
}
