/** What a client's frames and messages go through in its script: frame → decode → on_message… → reply. */

import { messageOf } from '../errors.js';
import { Failure } from '../script/api.js';
import type { LuaValue } from '../script/executor.js';
import type { Pushable } from '../script/values.js';
import type { MessageType } from '../transports/connection.js';
import type { Client } from './client.js';
import type { HandlerName } from './program.js';
import type { Decoded } from './protocol.js';

/**
 * Runs a handler, where the script or the program has it, with the client's id, `args` and the client itself. A program
 * is told of a new client and of the time to poll by it.
 */
export function callHandler(
  client: Client,
  name: HandlerName,
  ...args: LuaValue[]
): Promise<void> | undefined {
  const { station } = client;
  if (station.handlers) return station.handlers.called(name, client);
  const handler = client.program.handler(name);
  if (handler === undefined) return undefined;
  const done = station.runHandler(name, client, handler, [String(client.id), ...args, client.conn()]);
  return done instanceof Promise ? done.then(() => undefined) : undefined;
}

/** Decodes a frame, datagram or WebSocket message and handles what it says. */
export function handleFrame(client: Client, frame: Uint8Array, type: MessageType): Promise<void> | undefined {
  const { station } = client;
  if (station.handlers) return station.handlers.handle(client, frame, type);
  const { protocol } = client;
  station.counters.frames++;
  client.program.tally.calls++;
  station.frames.add(client.id, false, frame, client.lastSeen);
  let result: ReturnType<typeof protocol.decode>;
  try {
    result = protocol.decode(frame, client, type);
  } catch (error) {
    station.scriptFailed('decode', client, error as Error);
    return undefined;
  }
  if (result === undefined) return undefined;
  if (result instanceof Failure) {
    station.decodeFailed(client, frame, result.message);
    return undefined;
  }
  return handleDecoded(client, result);
}

/** Hands the messages of a frame to the script, and acknowledges it unless that failed or a durable report did. */
export function handleDecoded(client: Client, { messages, decoded }: Decoded): Promise<void> | undefined {
  const { protocol } = client;
  if (protocol.replyFirst) acknowledge(client, decoded);
  const ok = handOver(client, messages);
  if (ok instanceof Promise) {
    return ok.then((done) => {
      if (done && !protocol.replyFirst) acknowledge(client, decoded);
    });
  }
  if (ok && !protocol.replyFirst) acknowledge(client, decoded);
  return undefined;
}

/**
 * Hands messages to the script; false when it failed at one of them, or a durable report did. A device deletes what
 * was acknowledged; it sends the frame once more otherwise.
 */
export function handOver(client: Client, messages: readonly Pushable[]): boolean | Promise<boolean> {
  const { station } = client;
  const { unsafe } = station.engine;
  station.counters.messages += messages.length;
  client.messages += messages.length;
  if (client.tracers) for (const message of messages) traceMessage(client, message);
  unsafe.delete(client);
  const done = deliver(client, messages, 0);
  if (done instanceof Promise) return done.then((ok) => ok && !unsafe.has(client));
  return done && !unsafe.has(client);
}

/** Runs `on_message` once a message; stops at the first error, so that the frame is not acknowledged. */
function deliver(client: Client, messages: readonly Pushable[], from: number): boolean | Promise<boolean> {
  const { station } = client;
  const handler = client.program.handler('on_message');
  if (handler === undefined) return true;
  const { messageTimes } = station;
  for (let i = from; i < messages.length; i++) {
    const began = performance.now();
    const message = scriptMessage(client, messages[i]!);
    if (message instanceof Error) return false;
    const done = station.runHandler('on_message', client, handler, [message, client.conn()]);
    if (done instanceof Promise) {
      return done.then((ok) => {
        messageTimes.add((performance.now() - began) / 1000);
        return ok && deliver(client, messages, i + 1);
      });
    }
    messageTimes.add((performance.now() - began) / 1000);
    if (!done) return false;
  }
  return true;
}

/** A message as the script gets it; an error, which is logged and counted, where it cannot be handed over. */
function scriptMessage(client: Client, message: Pushable): Pushable | Error {
  const { station } = client;
  try {
    return client.protocol.toScript(message);
  } catch (error) {
    station.scriptFailed('decode', client, error as Error);
    return error as Error;
  }
}

function acknowledge(client: Client, decoded: Pushable): void {
  try {
    const reply = client.protocol.reply(decoded, client);
    if (reply) client.send(reply);
  } catch (error) {
    client.station.scriptFailed('reply', client, error as Error);
  }
}

function traceMessage(client: Client, message: Pushable): void {
  try {
    client.trace({ event: 'message', message: client.protocol.toJs(message) });
  } catch (error) {
    // A message may hold what cannot leave the VM, such as a function.
    client.trace({ event: 'message', reason: messageOf(error) });
  }
}
