/** What must be known of single commands: those that do not fit a pool, and those that wait themselves. */

import { MoonwireError } from '../../errors.js';

/**
 * Commands that change the connection they are sent on, or take it over. The next command may go out on another
 * connection, and another script's on this one.
 */
const OF_A_CONNECTION = new Set(
  (
    'AUTH DISCARD EXEC HELLO MONITOR MULTI PSUBSCRIBE PSYNC PUNSUBSCRIBE QUIT READONLY READWRITE REPLCONF RESET ' +
    'SELECT SSUBSCRIBE SUBSCRIBE SUNSUBSCRIBE SYNC UNSUBSCRIBE UNWATCH WATCH'
  ).split(' '),
);

/** Where blocking commands say how long they wait: the position of the argument (-1: the last), and its unit. */
const WAITS: Readonly<Record<string, readonly [at: number, unit: number]>> = {
  BLPOP: [-1, 1],
  BRPOP: [-1, 1],
  BRPOPLPUSH: [-1, 1],
  BLMOVE: [-1, 1],
  BZPOPMIN: [-1, 1],
  BZPOPMAX: [-1, 1],
  BLMPOP: [1, 1],
  BZMPOP: [1, 1],
  WAIT: [-1, 0.001],
  WAITAOF: [-1, 0.001],
};

const ascii = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('latin1');

/** Throws MoonwireError `invalid_argument` for a command that cannot be sent over a pool. */
export function checkCommand(args: readonly Uint8Array[]): void {
  const name = ascii(args[0]).toUpperCase();
  const changesReplies = name === 'CLIENT' && /^(REPLY|TRACKING|CACHING)$/i.test(ascii(args[1]));
  if (!OF_A_CONNECTION.has(name) && !changesReplies) return;
  const instead = /^(MULTI|EXEC|WATCH)$/.test(name) ? '; use EVAL' : '';
  throw new MoonwireError(
    'invalid_argument',
    `${name} concerns one connection, and commands share a pool${instead}`,
  );
}

/** Seconds a command itself waits before it replies: 0 for most, infinity for ever. */
export function blockingSeconds(args: readonly Uint8Array[]): number {
  const name = ascii(args[0]).toUpperCase();
  const own = WAITS[name];
  if (own) return seconds(args.at(own[0]), own[1]);
  if (name !== 'XREAD' && name !== 'XREADGROUP') return 0;
  const block = args.findIndex((arg) => ascii(arg).toUpperCase() === 'BLOCK');
  return block < 0 ? 0 : seconds(args[block + 1], 0.001);
}

/** What an argument says in its unit; 0 stands for ever, and what is no number is refused by the server at once. */
function seconds(arg: Uint8Array | undefined, unit: number): number {
  const text = ascii(arg);
  if (!/^\d+(\.\d+)?$/.test(text)) return 0;
  return Number(text) === 0 ? Number.POSITIVE_INFINITY : Number(text) * unit;
}
