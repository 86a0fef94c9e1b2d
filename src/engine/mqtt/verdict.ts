/** What scripts decide about MQTT clients: who may connect, publish and subscribe. */

import { fromJs } from '../../script/convert.js';
import type { LuaValue } from '../../script/executor.js';
import type { Client } from '../client.js';
import type { HandlerName } from '../program.js';
import type { Refused } from './login.js';
import { REASON } from './reasons.js';

/** What a handler that is asked returned. */
export type Answer = readonly LuaValue[];
const YES: Answer = [true];
const FAILED: Answer = [false, 'overloaded'];

/** Why the answer is no; undefined when it is yes. */
export function refusalOf([allowed, why]: Answer): Refused | undefined {
  if (allowed === true) return undefined;
  if (why === 'overloaded') return { reason: REASON.serverBusy, detail: 'the script could not decide' };
  if (why === 'bad_credentials')
    return { reason: REASON.badCredentials, detail: 'wrong user name or password' };
  return { reason: REASON.notAuthorized, detail: 'the script does not allow it' };
}

/** Asks the script, where it has a say: true, or false and why. Without that handler the answer is yes. */
export function ask(client: Client, name: HandlerName, ...args: unknown[]): Answer | Promise<Answer> {
  const { station } = client;
  const handler = client.program.handler(name);
  if (handler === undefined) return YES;
  const values = args.map((arg) => luaValue(client, arg));
  const results = station.askHandler(name, client, handler, [...values, client.conn()]);
  const read = (given: readonly LuaValue[] | undefined): Answer => given ?? FAILED;
  return results instanceof Promise ? results.then(read) : read(results);
}

/** Plain data as a value of the client's script. */
export function luaValue({ program: { vm } }: Client, value: unknown): LuaValue {
  return vm.values.read(fromJs(vm.main, value));
}

/** Goes on with a value now, or once it is there. */
export function after<T>(
  value: T | Promise<T>,
  next: (value: T) => Promise<void> | undefined,
): Promise<void> | undefined {
  return value instanceof Promise ? value.then(next) : next(value);
}
