/** `mix.redis`, as CONNMIX has it. */

import { MoonwireError } from '../../errors.js';
import { type ApiFunction, Failure, HostObject, optional, rest, value } from '../../script/api.js';
import { LuaError, type LuaValue } from '../../script/executor.js';
import { bytesOf } from '../../script/fengari.js';
import { failureOf, orFailure } from '../../script/mix/failure.js';
import { numberToString } from '../../script/numbers.js';
import { REDIS_LIMITS, type RedisPool } from '../redis/pool.js';
import { REPLY_LIMITS } from '../redis/reply.js';
import type { MixHost } from './host.js';

/** The kind of connections in Lua. */
export const REDIS_KIND = 'redis';
/** Most bytes of one command. */
const MAX_COMMAND = 8 * 1024 * 1024;

/** An argument as the server gets it; booleans as CONNMIX sends them. */
function argumentBytes(given: LuaValue, at: number): Uint8Array {
  if (typeof given === 'string') return bytesOf(given);
  if (typeof given === 'number') return bytesOf(numberToString(given));
  if (typeof given === 'boolean') return bytesOf(given ? '1' : '0');
  throw new LuaError(`bad argument #${at} to 'redis:command' (string, number or boolean expected)`);
}

/** Why there is no reply: the server's own words, or what we met. */
function refusal(error: Error): Failure {
  return error instanceof MoonwireError ? failureOf(error) : new Failure(`redis: ${error.message}`);
}

export const redisFunctions: ApiFunction<MixHost>[] = [
  {
    name: 'mix.redis.connection',
    doc:
      'The Redis server of that name in `engine.luavm.redis`. Its connections are shared by all scripts of the ' +
      'engine and opened when a command needs one. Returns nil and an error when the name is not configured.',
    params: [optional('name', 'text', 'default "default"')],
    returns: [value('redis', 'raw')],
    example: 'local redis, err = mix.redis.connection("default")',
    run: ({ station }, name = 'default') => {
      const pool = station.engine.services.redis.get(name);
      return pool
        ? new HostObject(REDIS_KIND, pool)
        : new Failure(`not_found: engine.luavm.redis has no server named ${name}`);
    },
  },
];

export const redisMethods: ApiFunction<RedisPool>[] = [
  {
    name: 'redis:command',
    doc:
      'Sends one command and waits for its reply. Numbers become their decimal form, booleans 1 and 0. A reply is ' +
      'nil, a number (a decimal string beyond 2^53), a string of any bytes, or a list of these, in which nil leaves ' +
      'a hole and an error is a table `{ err = … }`; HGETALL gives a list of fields and values in turn. Returns nil ' +
      'and an error when the server refuses the command (`redis: …`, with its words), or without a reply: ' +
      '`not_connected` or `not_found` (no connection), `timeout` (nothing within ' +
      `${REDIS_LIMITS.replySeconds} s beyond what a blocking command waits itself, or no free connection within ` +
      `${REDIS_LIMITS.waitSeconds} s), \`overloaded\` (${REDIS_LIMITS.waiting} commands wait for a connection), ` +
      `\`too_large\` (a command or reply over ${MAX_COMMAND / 2 ** 20} MiB, a string in a reply over ` +
      `${REPLY_LIMITS.stringBytes / 2 ** 20} MiB, lists over ${REPLY_LIMITS.values} values), \`invalid_argument\` ` +
      '(a command about one connection, as SUBSCRIBE, SELECT or MULTI: commands share a pool). A command without a ' +
      'reply may have been done.',
    params: [value('command', 'raw', '"GET", "SET", …'), rest('arguments', 'raw')],
    returns: [value('reply', 'value')],
    waits: true,
    example:
      'local redis, err = mix.redis.connection("default")\n' +
      'if not redis then return print(err) end\n' +
      'redis:command("SET", "greeting", "hello", "EX", 60)\n' +
      'print(redis:command("GET", "greeting"))',
    run: (pool, ...given: LuaValue[]) => {
      const args = given.map((item, i) => argumentBytes(item, i + 1));
      if (args.reduce((sum, arg) => sum + arg.length, 0) > MAX_COMMAND) {
        return new Failure(`too_large: a command has at most ${MAX_COMMAND} bytes`);
      }
      return orFailure(() => pool.command(args).catch(refusal));
    },
  },
];
