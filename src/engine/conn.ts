/** A client as scripts see it. */

import type { HostObject, LuaValue } from '../script/executor.js';
import type { Client } from './client.js';
import type { Program } from './program.js';
import type { ProtocolPeer } from './protocol.js';

/** The kind of these objects in Lua. */
export const CLIENT_KIND = 'conn';

/** A client and the program whose script holds it: what the script hands over are values of that program's VM. */
export class Conn {
  constructor(
    readonly client: Client,
    readonly program: Program,
  ) {}
}

/** A client to a program that does not serve it: code that served it before and still waits, or that will next. */
export class Stranger implements ProtocolPeer {
  constructor(
    readonly client: Client,
    private readonly own: HostObject<Conn>,
    public session: LuaValue,
  ) {}

  conn(): HostObject<Conn> {
    return this.own;
  }
}
