/** What `on_handshake` is told of how a client opened its connection. */

import type { LuaValue } from '../script/executor.js';
import type { Vm } from '../script/vm.js';
import type { Handshake } from '../transports/connection.js';

/** The tables `headers` and `server`, as CONNMIX hands them over; names are spelled as Go does, its language. */
export function handshakeTables(vm: Vm, handshake: Handshake, remote: string): [LuaValue, LuaValue] {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(handshake.headers)) {
    if (value !== undefined)
      headers[canonicalName(name)] = typeof value === 'string' ? value : value.join(', ');
  }
  const { method, uri, httpVersion, subprotocol } = handshake;
  const server = vm.table({
    Method: method,
    RequestUri: uri,
    ServerProtocol: `HTTP/${httpVersion}`,
    Host: headers.Host ?? '',
    RemoteAddr: remote,
    Subprotocol: subprotocol,
  });
  return [vm.table(headers), server];
}

/** `User-Agent`, `Sec-Websocket-Key`. */
function canonicalName(name: string): string {
  return name.replace(/(^|-)[a-z]/g, (start) => start.toUpperCase());
}
