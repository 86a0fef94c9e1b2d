/** Where a script runs: its server's options, and the client whose handler runs. */

import { type ApiFunction, Failure, type LuaValue, value } from '../../script/api.js';
import { numberToString } from '../../script/numbers.js';
import { currentClient, type MixHost } from './host.js';

function current(host: MixHost): LuaValue | Failure {
  const client = currentClient(host);
  return client ? host.program.peerOf(client).conn() : new Failure('there is no client here');
}

export const nodeFunctions: ApiFunction<MixHost>[] = [
  {
    name: 'mix.server.option',
    doc: 'A value of `options` of this server or link, as a string; nil when it is not set.',
    params: [value('name', 'text')],
    returns: [value('value', 'text')],
    example: 'local path = mix.server.option("path")',
    run: ({ station }, name: string) => {
      const { options } = station.settings;
      const option = Object.hasOwn(options, name) ? options[name] : undefined;
      return typeof option === 'number'
        ? numberToString(option)
        : option === undefined
          ? undefined
          : String(option);
    },
  },
  {
    name: 'mix.socket.tcp',
    doc:
      'The client whose handler runs, as CONNMIX scripts ask for it; handlers also get it as their last argument. ' +
      'Returns nil and an error outside handlers of a client.',
    params: [],
    returns: [value('conn', 'raw')],
    example: 'local conn, err = mix.socket.tcp()',
    run: current,
  },
  {
    name: 'mix.websocket',
    doc: 'The same as `mix.socket.tcp`, as CONNMIX scripts of WebSocket servers ask for it.',
    params: [],
    returns: [value('conn', 'raw')],
    example: 'local conn, err = mix.websocket()',
    run: current,
  },
];
