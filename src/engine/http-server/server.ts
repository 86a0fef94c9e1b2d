/** HTTP as a server speaks it: requests to the script, its answers to those who asked. */

import { Failure } from '../../errors.js';
import type { HttpConnection } from '../../transports/httpconnection.js';
import type { Subscriber } from '../channels.js';
import type { Client } from '../client.js';
import type { NativeProtocol } from '../native.js';
import { type Answer, askScript } from '../request-handler.js';
import type { Station } from '../station.js';
import { answerTo, requestFacts } from './message.js';

const NO_MESSAGES = 'an HTTP client gets answers to its requests only';
/** Seconds after which a request of which the script has not been asked was dropped, for coming too fast. */
const DROPPED_SECONDS = 5;

/** What `client.peer` is while the script has a request of its. */
const ASKED = {};

export class HttpServer implements NativeProtocol {
  constructor(private readonly station: Station) {}

  /** A request of a client, whose body came as a frame. */
  handle(client: Client, body: Uint8Array): Promise<void> | undefined {
    const { station } = this;
    const request = connectionOf(client).request;
    if (!request) return undefined;
    station.counters.frames++;
    station.frames.add(client.id, false, body, client.lastSeen);
    client.peer = ASKED;
    const answer = askScript(client, requestFacts(request, body));
    if (answer instanceof Promise) return answer.then((given) => this.respond(client, given));
    this.respond(client, answer);
    return undefined;
  }

  /** The script is told neither of a connection nor of its end: they mean nothing in HTTP. */
  closed(): boolean {
    return false;
  }

  check(client: Client, now: number): undefined {
    const { limits } = this.station;
    const connection = connectionOf(client);
    const seconds = (now - connection.since) / 1000;
    if (connection.request) {
      if (client.peer !== ASKED && seconds > DROPPED_SECONDS)
        this.respond(client, new Failure('rate_limited: the request came too fast'));
      return;
    }
    if (connection.idle && limits.idleSeconds > 0 && seconds > limits.idleSeconds) client.end();
  }

  send(): Failure {
    return new Failure(`invalid_argument: ${NO_MESSAGES}`);
  }

  sendFromScript(): Failure {
    return this.send();
  }

  subscriberOf(client: Client): Subscriber {
    return new NoSubscriber(client);
  }

  private respond(client: Client, answer: Answer | Failure): void {
    client.peer = undefined;
    try {
      this.write(client, answer);
    } catch (error) {
      // The script named a status or a header that cannot be sent.
      this.station.scriptFailed('on_request', client, error as Error);
      this.write(client, new Failure('internal: a senseless answer'));
    }
  }

  private write(client: Client, given: Answer | Failure): void {
    const { counters, frames, limits } = this.station;
    const { status, headers, body } = answerTo(given);
    if (body.length > limits.sendBufferBytes) {
      counters.sendsRefused++;
      this.station.limitReached(client, 'sendBufferBytes', `an answer has ${body.length} bytes`);
      this.write(client, new Failure('internal: the answer is too large'));
      return;
    }
    connectionOf(client).answer(status, headers, body);
    counters.sends++;
    counters.bytesOut += body.length;
    client.bytesOut += body.length;
    frames.add(client.id, true, body, performance.now());
  }
}

/** Who speaks HTTP is on no channel: nothing could be sent there. */
class NoSubscriber implements Subscriber {
  channels: Set<string> | undefined;
  readonly closed = true;
  readonly station: Station;

  constructor(readonly client: Client) {
    this.station = client.station;
  }

  send(): Failure {
    return new Failure(`invalid_argument: ${NO_MESSAGES}`);
  }
}

function connectionOf({ connection }: Client): HttpConnection {
  return connection as HttpConnection;
}
