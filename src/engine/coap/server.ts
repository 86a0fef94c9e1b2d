/** A CoAP server over UDP (RFC 7252): requests to the script, its answers to the device, each once. */

import { Failure, messageOf } from '../../errors.js';
import { toJs } from '../../script/convert.js';
import type { LuaValue } from '../../script/executor.js';
import { bytesOf } from '../../script/fengari.js';
import type { Client } from '../client.js';
import { callHandler, handOver } from '../handling.js';
import type { Outgoing } from '../mesh.js';
import type { NativeProtocol } from '../native.js';
import type { Program } from '../program.js';
import { type Answer, askScript } from '../request-handler.js';
import type { Station } from '../station.js';
import { type CoapMessage, kindOf, readMessage, refusalOf, requestFacts, responseTo } from './message.js';
import { type CoapCounters, CoapPeer } from './peer.js';

/**
 * Time after which a confirmable request is acknowledged without its answer, which follows by itself (5.2.2): before
 * a device sends it again.
 */
const SEPARATE_MS = 1000;

export class CoapServer implements NativeProtocol {
  readonly counters: CoapCounters = { repeats: 0, retransmissions: 0, givenUp: 0 };

  constructor(private readonly station: Station) {}

  check(): undefined {
    // Silent peers are forgotten by the socket.
    return undefined;
  }

  subscriberOf(client: Client): CoapPeer | Client {
    return peerOf(client) ?? client;
  }

  closed(client: Client): boolean {
    peerOf(client)?.close();
    return client.peer !== undefined;
  }

  handle(client: Client, datagram: Uint8Array): Promise<void> | undefined {
    const { station } = this;
    station.counters.frames++;
    station.frames.add(client.id, false, datagram, client.lastSeen);
    let message: CoapMessage;
    try {
      message = readMessage(datagram);
    } catch (error) {
      station.decodeFailed(client, datagram, messageOf(error));
      reject(client, datagram);
      return undefined;
    }
    const known = peerOf(client);
    if (known) return this.receive(client, known, message);
    const peer = new CoapPeer(client, this.counters);
    client.peer = peer;
    const waits = callHandler(client, 'on_connect');
    return waits
      ? waits.then(() => this.receive(client, peer, message))
      : this.receive(client, peer, message);
  }

  send(client: Client, { data }: Outgoing): Failure | undefined {
    const peer = peerOf(client);
    if (!peer) return new Failure('not_connected: nothing came from the device yet');
    if (data instanceof Uint8Array) return client.send(data);
    if (typeof data !== 'object' || data === null)
      return new Failure('invalid_argument: a message for a CoAP device is {code, path or options, payload}');
    return transmit(peer, data as Record<string, unknown>);
  }

  sendFromScript(client: Client, data: LuaValue, { vm }: Program): Failure | undefined {
    if (typeof data === 'string') return client.send(bytesOf(data));
    try {
      return this.send(client, { data: toJs(vm.values.slot(data)) });
    } catch (error) {
      return new Failure(`invalid_argument: ${messageOf(error)}`);
    }
  }

  /** What a message is for, by its type and code (4.2, 4.3). */
  private receive(client: Client, peer: CoapPeer, message: CoapMessage): Promise<void> | undefined {
    const { type, code, message_id: id } = message;
    if (type === 'ACK' || type === 'RST') peer.settled(id);
    const kind = kindOf(code);
    const confirmable = type === 'CON';
    if (kind === 'request' && type !== 'ACK' && type !== 'RST') return this.request(client, peer, message);
    if (kind === 'response' && type !== 'RST') {
      if (confirmable) client.send(empty('ACK', id));
      return this.response(client, message);
    }
    // A ping, and what is reserved, are rejected (4.3); what is not confirmable is ignored.
    if (confirmable) client.send(empty('RST', id));
    return undefined;
  }

  private request(client: Client, peer: CoapPeer, request: CoapMessage): Promise<void> | undefined {
    const id = request.message_id;
    if (peer.isRepeated(id)) return undefined;
    peer.keep(id);
    const refused = refusalOf(request);
    if (refused) {
      const { code, detail } = refused;
      this.reply(peer, request, { code, token: request.token, payload: detail }, false);
      return undefined;
    }
    const answer = askScript(client, requestFacts(request));
    if (!(answer instanceof Promise)) {
      this.respond(peer, request, answer, false);
      return undefined;
    }
    let separate = false;
    const timer = setTimeout(() => {
      separate = true;
      if (request.type === 'CON') peer.answer(id, { type: 'ACK', code: '0.00', message_id: id });
    }, SEPARATE_MS).unref();
    return answer.then((given) => {
      clearTimeout(timer);
      this.respond(peer, request, given, separate);
    });
  }

  private respond(peer: CoapPeer, request: CoapMessage, answer: Answer | Failure, separate: boolean): void {
    try {
      this.reply(peer, request, responseTo(request, answer), separate);
    } catch (error) {
      // The script named a code, an option or a payload that does not exist.
      this.station.scriptFailed('on_request', peer.client, error as Error);
      this.reply(peer, request, responseTo(request, new Failure('internal: a senseless answer')), separate);
    }
  }

  /** A response travels with the acknowledgement, or by itself where that left already or none is due (5.2). */
  private reply(peer: CoapPeer, request: CoapMessage, response: object, separate: boolean): void {
    const { type, message_id: id } = request;
    if (type === 'CON' && !separate) peer.answer(id, { ...response, type: 'ACK', message_id: id });
    else peer.transmit(response, type === 'CON');
  }

  /** The answer to a request of ours. */
  private response(client: Client, message: CoapMessage): Promise<void> | undefined {
    const { vm } = client.program;
    const done = handOver(client, [
      vm.table({
        code: message.code,
        token: message.token,
        payload: new Uint8Array(message.payload),
        type: 'response',
      }),
    ]);
    return done instanceof Promise ? done.then(() => undefined) : undefined;
  }
}

function peerOf(client: Client): CoapPeer | undefined {
  return client.peer as CoapPeer | undefined;
}

/** Sends a message that a script or somebody outside describes. */
function transmit(peer: CoapPeer, given: Record<string, unknown>): Failure | undefined {
  const { path, type = 'CON', options = [], message_id: _, ...rest } = given;
  if (type !== 'CON' && type !== 'NON') return new Failure('invalid_argument: type is "CON" or "NON"');
  const steps = typeof path === 'string' ? path.split('/').filter((step) => step !== '') : [];
  const all = [...(options as object[]), ...steps.map((value) => ({ name: 'Uri-Path', value }))];
  try {
    return peer.transmit({ ...rest, options: all }, type === 'CON');
  } catch (error) {
    return new Failure(`invalid_argument: ${messageOf(error)}`);
  }
}

/** An empty message: four bytes (4.1). */
function empty(type: 'ACK' | 'RST', id: number): Uint8Array {
  return Buffer.from([0x40 | ((type === 'ACK' ? 2 : 3) << 4), 0, id >> 8, id & 255]);
}

/** A confirmable message that cannot be read is reset (4.2), one of another version is not known to be one (3). */
function reject(client: Client, datagram: Uint8Array): void {
  const [first = 0, , high = 0, low = 0] = datagram;
  if (datagram.length >= 4 && first >> 6 === 1 && ((first >> 4) & 3) === 0)
    client.send(empty('RST', high * 256 + low));
}
