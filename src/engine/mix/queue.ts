/** `mix.queue`: work for consumers elsewhere, over the WebSocket API. */

import { type ApiFunction, value } from '../../script/api.js';
import { currentClient, type MixHost } from './host.js';

export const queueFunctions: ApiFunction<MixHost>[] = [
  {
    name: 'mix.queue.push',
    doc:
      'Puts plain data into a topic, in memory; one consumer of the topic gets it. Returns how many messages the ' +
      'topic held with it, or nil and an error: `queue_full` when the topic (`luavm.queue.topicSize`) or the number ' +
      'of topics (`maxTopics`) is at its bound.',
    params: [value('topic', 'text', '1 to 256 bytes'), value('data', 'value')],
    returns: [value('n', 'integer')],
    example: 'local n, err = mix.queue.push("orders", { id = 7 })',
    run: (host, topic: string, data: unknown) =>
      host.station.engine.queues.push({ topic, client: currentClient(host)?.id, data }),
  },
];
