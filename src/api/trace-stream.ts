/** The live trace of one client as server-sent events (WHATWG HTML, "Server-sent events"). */

import type { ServerResponse } from 'node:http';
import { json } from '../codecs/json.js';
import type { TraceEvent } from '../engine/trace.js';
import { Failure } from '../errors.js';
import type { Caller } from './access.js';
import type { ApiHost } from './host.js';
import { stallWatch } from './stall.js';

/** A comment is sent at least so often, so that both ends notice a dead connection. */
const HEARTBEAT_MS = 15_000;
/** Bytes that may wait for the reader; further events are left out, and counted to it. */
const MAX_WAITING = 2 ** 20;
/** Traces of one process. */
const MAX_TRACES = 100;

/** Runs the traces of one API. */
export class TraceStreams {
  private readonly open = new Set<() => void>();

  /** `stallMs`: a reader that takes nothing for so long is closed. */
  constructor(private readonly stallMs: number) {}

  /** Answers with a client's trace; resolves once it has begun, or to the Failure why it cannot. */
  async stream(
    host: ApiHost,
    id: number,
    outgoing: ServerResponse,
    caller: Caller,
  ): Promise<Failure | undefined> {
    if (this.open.size >= MAX_TRACES)
      return new Failure(`overloaded: ${MAX_TRACES} traces are running already`);
    let lost = 0;
    let stop: (() => void) | undefined;
    let heartbeat: NodeJS.Timeout | undefined;
    let ended = false;

    const write = (text: string): void => {
      if (!outgoing.headersSent)
        outgoing.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
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
    const clientGone = (): void => {
      if (!ended && !outgoing.destroyed) write('event: end\ndata: {}\n\n');
      finish();
    };
    const listener = (event: TraceEvent): void => {
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
    const begun = await host.trace(id, listener, clientGone);
    if (begun instanceof Failure) {
      this.open.delete(finish);
      return begun;
    }
    stop = begun;
    // It may have ended while it began.
    if (ended) begun();
    else {
      write(': trace\n\n');
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

  /** Ends all, without saying that their clients are gone. */
  close(): void {
    for (const finish of this.open) finish();
  }
}

function textOf(event: TraceEvent): string {
  try {
    return Buffer.from(json.encode(event)).toString('utf8');
  } catch {
    // A message too deep for JSON: the rest of the event still tells something.
    return JSON.stringify({ ...event, message: undefined });
  }
}
