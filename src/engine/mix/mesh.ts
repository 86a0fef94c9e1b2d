/** `mix.mesh`: messages to clients of any node. */

import { type ApiFunction, Failure, optional, value } from '../../script/api.js';
import type { Outgoing } from '../mesh.js';
import type { MixHost } from './host.js';

const data = value('data', 'value', 'a string, or a table for the protocol of the client to encode');
const type = optional('type', 'string', 'for WebSocket: "text" or "binary"');

function outgoing(message: unknown, kind: string | undefined): Outgoing | Failure {
  if (kind === undefined || kind === 'text' || kind === 'binary') return { data: message, type: kind };
  return new Failure(`invalid_argument: the type is "text" or "binary", not "${kind}"`);
}

/** A client id as scripts hold it: a decimal string, or a number. */
function clientId(id: unknown): number | Failure {
  const number = typeof id === 'string' && /^\d{1,16}$/.test(id) ? Number(id) : id;
  if (typeof number === 'number' && Number.isSafeInteger(number) && number >= 0) return number;
  return new Failure('invalid_argument: a client id is a decimal number below 2^53');
}

export const meshFunctions: ApiFunction<MixHost>[] = [
  {
    name: 'mix.mesh.send',
    doc:
      'Sends to one client, on whatever node it is. Its protocol encodes the data. Returns nil, or an error: ' +
      '`not_connected`, `queue_full` when the client does not take what it is sent, `timeout` when its node does ' +
      'not answer, or what its protocol says.',
    params: [value('client_id', 'value', 'a decimal string, or a number'), data, type],
    returns: [],
    failure: 'error',
    waits: true,
    example: 'local err = mix.mesh.send("8589934592", "hello")\nif err then mix.log(mix.WARN, err) end',
    run: async ({ station }, id: unknown, item: unknown, kind?: string) => {
      const message = outgoing(item, kind);
      if (message instanceof Failure) return message;
      const client = clientId(id);
      return client instanceof Failure ? client : station.engine.mesh.send(client, message);
    },
  },
  {
    name: 'mix.mesh.publish',
    doc:
      'Sends to all subscribers of a channel, on all nodes. Returns how many clients got it, and how many should ' +
      'have got it and did not.',
    params: [value('channel', 'text'), data, type],
    returns: [value('success', 'integer'), value('fail', 'integer')],
    waits: true,
    example: 'local success, fail = mix.mesh.publish("room:1", "hello all")',
    run: async ({ station }, channel: string, item: unknown, kind?: string) => {
      const message = outgoing(item, kind);
      if (message instanceof Failure) return message;
      const { success, fail } = await station.engine.mesh.publish(channel, message);
      return [success, fail];
    },
  },
];
