/** Live traces of an engine's client for the centre: each one a stream of type log (design §5). */

import type { TraceEvent, TraceListener } from '../engine/trace.js';
import { Failure } from '../errors.js';
import type { MuxStream } from '../mux/index.js';
import { MessageStream } from './message-stream.js';
import type { Message } from './messages.js';

/** Watches a client until the returned function is called; `ended` is told when there is nothing more to watch. */
export type Watch = (
  id: number,
  listener: TraceListener,
  ended: () => void,
) => Promise<(() => void) | Failure>;

/** Bytes that may wait for the centre; further events are left out, as the next one tells. */
const MAX_WAITING = 256 * 1024;

/** The engine's end: the centre says which client, and is told what happens until either ends the stream. */
export function serveTrace(stream: MuxStream, watch: Watch): void {
  const messages = new MessageStream(stream);
  let stop: (() => void) | undefined;
  let over = false;
  let left = 0;
  const end = (reason?: string): void => {
    if (over) return;
    over = true;
    stop?.();
    messages.send({ t: 'end', ...(reason !== undefined && { e: reason }) });
    messages.close();
  };
  const tell = (event: TraceEvent): void => {
    if (messages.pendingBytes > MAX_WAITING) {
      left++;
      return;
    }
    messages.send({ t: 'event', e: left > 0 ? { ...event, left_out: left } : { ...event } });
    left = 0;
  };
  messages.onclose = () => {
    over = true;
    stop?.();
  };
  messages.onmessage = (message: Message) => {
    if (message.t !== 'trace' || stop) {
      messages.refuse(message);
      return;
    }
    void watch(message.c, tell, () => end()).then((watching) => {
      if (watching instanceof Failure) end(watching.message);
      else if (over) watching();
      else stop = watching;
    });
  };
}

/** The centre's end: follows a client that is there, until the returned function is called or `ended` is. */
export function followTrace(
  stream: MuxStream,
  client: number,
  listener: TraceListener,
  ended: () => void,
): () => void {
  const messages = new MessageStream(stream);
  let over = false;
  const end = (): void => {
    if (over) return;
    over = true;
    messages.close();
    ended();
  };
  messages.onclose = end;
  messages.onmessage = (message) => {
    if (message.t === 'event') listener(message.e as unknown as TraceEvent);
    else if (message.t === 'end') end();
    else messages.refuse(message);
  };
  messages.send({ t: 'trace', c: client });
  return () => {
    over = true;
    messages.close();
  };
}
