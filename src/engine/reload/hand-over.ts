/** One program takes over from another, between two messages. */

import { MoonwireError, messageOf } from '../../errors.js';
import { carry } from '../../script/carry.js';
import type { LuaValue } from '../../script/executor.js';
import { carrierOf } from '../carrier.js';
import type { Program } from '../program.js';
import type { Station } from '../station.js';
import { goesOn } from './former.js';

/** Seconds that `on_unload` and `on_reload` may take each; messages wait for them. */
const HOOK_SECONDS = 5;
/** Clients that go over in one turn of the event loop. */
const A_TURN = 200;

/**
 * Runs `on_unload` of the program in charge and `on_reload` of `to`, then puts `to` in charge. Messages that come
 * meanwhile wait. Throws when one of the two fails, and then nothing has changed: what was handed over is given back to
 * the old `on_reload`. `anyway`: what they throw is only logged. `afresh`: nothing is asked for and handed over.
 */
export async function handOver(
  station: Station,
  to: Program,
  { anyway = false, afresh = false } = {},
): Promise<void> {
  const from = station.program;
  station.hold();
  from.timers.pause();
  let handed: LuaValue;
  try {
    if (!afresh) handed = await orLogged(station, anyway, () => hook(from, 'on_unload', []));
    await orLogged(station, anyway, () => {
      const lost: string[] = [];
      const carriage = { from: from.vm, to: to.vm, object: carrierOf(to) };
      const received = carry(handed, carriage, 'on_unload', lost);
      if (lost.length > 0) station.log.warn('on_reload does not get all that on_unload returned', { lost });
      return hook(to, 'on_reload', [received]);
    });
    if (station.closed) throw new MoonwireError('closed', 'the station is closed');
  } catch (error) {
    from.timers.resume();
    await orLogged(station, true, () => hook(from, 'on_reload', [handed]));
    station.release();
    throw error;
  }
  station.program = to;
  to.since = Date.now() / 1000;
  const { trial } = to;
  to.trial = undefined;
  trial?.end(station.log);
  from.replaced = to.timers.begin();
  from.timers.resume((timer) => goesOn(from, timer));
  station.release();
  void renewAll(station, to);
}

/** What a hook returns, if the script has it. */
async function hook(
  program: Program,
  name: 'on_unload' | 'on_reload',
  args: readonly LuaValue[],
): Promise<LuaValue> {
  const fn = program.handler(name);
  if (fn === undefined) return undefined;
  const [value] = await within(HOOK_SECONDS, name, program.vm.run(fn, args));
  return value;
}

async function orLogged(station: Station, anyway: boolean, what: () => Promise<LuaValue>): Promise<LuaValue> {
  try {
    return await what();
  } catch (error) {
    if (!anyway) throw error;
    station.log.error(`handing over failed: ${messageOf(error)}`);
    return undefined;
  }
}

/** What is there already, or comes within so many seconds; throws MoonwireError `timeout` otherwise. */
export async function within<T>(seconds: number, what: string, value: T | Promise<T>): Promise<T> {
  if (!(value instanceof Promise)) return value;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new MoonwireError('timeout', `${what} did not return within ${seconds} s`)),
      seconds * 1000,
    );
  });
  try {
    return await Promise.race([value, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Lets clients that are idle go over now and not with their next message, so that old code can end. */
async function renewAll(station: Station, to: Program): Promise<void> {
  let count = 0;
  for (const client of station.clients) {
    if (station.program !== to) return;
    client.renewed();
    if (++count % A_TURN === 0) await new Promise(setImmediate);
  }
}
