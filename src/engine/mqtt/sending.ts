/** What is sent to one peer without being published: by its script, or from outside. */

import { topicProblem } from '../../codecs/mqtt_topics.js';
import { Failure, messageOf } from '../../errors.js';
import { toJs } from '../../script/convert.js';
import type { LuaValue } from '../../script/executor.js';
import type { Client } from '../client.js';
import type { Outgoing } from '../mesh.js';
import type { Program } from '../program.js';
import { type Publication, payloadOf } from './publication.js';

/** The message that a script of `program` means by `data`: a map with a `topic`, or a payload for the topic `usual`. */
export function fromScript(
  client: Client,
  data: LuaValue,
  usual: string | undefined,
  program: Program,
): Publication | Failure {
  const { protocol, vm } = program;
  let given: unknown;
  try {
    given = toJs(vm.values.slot(data));
  } catch (error) {
    return new Failure(`invalid_argument: ${messageOf(error)}`);
  }
  // A table that names no topic is the payload, which the script's own encoder may write.
  if (protocol.encodes && typeof data !== 'string' && !isAddressed(given)) {
    const bytes = protocol.encode(data, program.peerOf(client), true);
    return bytes instanceof Failure ? bytes : publicationOf(bytes, usual, () => bytes);
  }
  return publicationOf(given, usual, (payload) => {
    if (payload instanceof Uint8Array) return payload;
    return Buffer.from(typeof payload === 'string' ? payload : (JSON.stringify(payload) ?? ''));
  });
}

/** The message that somebody outside means. */
export function fromOutside(
  { station }: Client,
  message: Outgoing,
  usual: string | undefined,
): Publication | Failure {
  return publicationOf(message.data, usual, (data) => payloadOf(station, { ...message, data }));
}

function publicationOf(
  data: unknown,
  usual: string | undefined,
  encode: (payload: unknown) => Uint8Array | Failure,
): Publication | Failure {
  const { topic = usual, payload, qos = 0, retain = false } = isAddressed(data) ? data : { payload: data };
  if (typeof topic !== 'string') return new Failure('invalid_argument: a message has a topic, a string');
  const problem = topicProblem(topic);
  if (problem !== undefined) return new Failure(`invalid_argument: ${problem}`);
  if (qos !== 0 && qos !== 1 && qos !== 2) return new Failure('invalid_argument: qos is 0, 1 or 2');
  if (typeof retain !== 'boolean') return new Failure('invalid_argument: retain is true or false');
  const bytes = encode(payload ?? '');
  if (bytes instanceof Failure) return bytes;
  return { topic, payload: bytes, qos, retain, properties: undefined, expiresAt: undefined };
}

interface Addressed {
  readonly topic?: unknown;
  readonly payload?: unknown;
  readonly qos?: unknown;
  readonly retain?: unknown;
}

/** Whether data says itself under which topic it goes. */
function isAddressed(data: unknown): data is Addressed {
  return typeof data === 'object' && data !== null && 'topic' in data;
}
