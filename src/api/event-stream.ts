/** What happens as it happens: server-sent events (WHATWG HTML, "Server-sent events"). */

import type { IncomingMessage, ServerResponse } from 'node:http';
import { json } from '../codecs/json.js';
import { Failure } from '../errors.js';
import type { Caller } from './access.js';
import { stallWatch } from './stall.js';

/** The type of an event stream. */
export const EVENTS = 'text/event-stream';
/** A comment is sent at least so often, so that both ends notice a dead connection. */
const HEARTBEAT_MS = 15_000;
/** Bytes that may wait for the reader; further events are left out, and counted to it. */
const MAX_WAITING = 2 ** 20;
/** Streams of one process. */
const MAX_STREAMS = 100;

/**
 * Begins to watch: `listener` is to be told of each event, a map, and `ended` once when there is nothing more to
 * watch. Gives the function that ends it, or why it cannot be.
 */
export type Watch = (listener: (event: object) => void, ended: () => void) => Promise<(() => void) | Failure>;

/** A request to watch. */
export interface WatchRequest {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  readonly caller: Caller;
}

/** Runs the event streams of one API. */
export class EventStreams {
  private readonly open = new Set<() => void>();

  /** `stallMs`: a reader that takes nothing for so long is closed. */
  constructor(private readonly stallMs: number) {}

  /** Answers with what is watched; resolves once it has begun, or to the Failure why it cannot. HEAD has no events. */
  async answer(
    watch: Watch,
    { incoming, outgoing, caller }: WatchRequest,
  ): Promise<{ contentType: string; text: string } | 'answered' | Failure> {
    if (incoming.method === 'HEAD') return { contentType: EVENTS, text: '' };
    return (await this.stream(watch, outgoing, caller)) ?? 'answered';
  }

  /** Ends all, without saying that there is nothing more to watch. */
  close(): void {
    for (const finish of this.open) finish();
  }

  /** Resolves once it has begun, or to the Failure why it cannot. */
  private async stream(watch: Watch, outgoing: ServerResponse, caller: Caller): Promise<Failure | undefined> {
    if (this.open.size >= MAX_STREAMS)
      return new Failure(`overloaded: ${MAX_STREAMS} streams are running already`);
    let lost = 0;
    let stop: (() => void) | undefined;
    let heartbeat: NodeJS.Timeout | undefined;
    let ended = false;

    const write = (text: string): void => {
      if (!outgoing.headersSent)
        outgoing.writeHead(200, { 'content-type': EVENTS, 'cache-control': 'no-store' });
      outgoing.write(text);
    };
    const finish = (): void => {
      if (ended) return;
      ended = true;
      this.open.delete(finish);
      clearInterval(heartbeat);
      stop?.();
      outgoing.end();
    };
    const over = (): void => {
      if (!ended && !outgoing.destroyed) write('event: end\ndata: {}\n\n');
      finish();
    };
    const listener = (event: object): void => {
      if (ended) return;
      if (outgoing.writableLength > MAX_WAITING) {
        lost++;
        return;
      }
      if (lost > 0) write(`event: lost\ndata: {"events":${lost}}\n\n`);
      lost = 0;
      write(`data: ${textOf(event)}\n\n`);
    };

    this.open.add(finish);
    const begun = await watch(listener, over);
    if (begun instanceof Failure) {
      this.open.delete(finish);
      return begun;
    }
    stop = begun;
    // It may have ended while it began.
    if (ended) begun();
    else {
      write(': begun\n\n');
      const stalled = stallWatch(outgoing.req.socket, this.stallMs);
      heartbeat = setInterval(
        () => {
          if (stalled()) outgoing.destroy();
          else if (caller.stillWelcome()) write(': alive\n\n');
          else finish();
        },
        Math.min(HEARTBEAT_MS, this.stallMs / 2),
      );
      outgoing.once('close', finish);
      if (outgoing.destroyed) finish();
    }
    return undefined;
  }
}

function textOf(event: object): string {
  try {
    return Buffer.from(json.encode(event)).toString('utf8');
  } catch {
    // A message too deep for JSON: the rest of the event still tells something.
    return JSON.stringify({ ...event, message: undefined });
  }
}
