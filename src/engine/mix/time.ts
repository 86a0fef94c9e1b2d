/** Timers and waiting. */

import { type ApiFunction, HostObject, value } from '../../script/api.js';
import { LuaError, type LuaValue } from '../../script/executor.js';
import { MAX_SECONDS, MAX_TIMERS, type Timer } from '../timers.js';
import { type MixHost, ownerOf } from './host.js';

/** The kind of timers in Lua. */
const TIMER_KIND = 'timer';

const SECONDS = value('seconds', 'number', `from 0 to ${MAX_SECONDS}, with a fraction`);

function start({ program, vm }: MixHost, seconds: number, fn: LuaValue, repeats: boolean): HostObject<Timer> {
  checkSeconds(seconds);
  const timer = program.timers.start(seconds, fn, repeats, ownerOf(vm.owner));
  if (!timer) throw new LuaError(`a script has at most ${MAX_TIMERS} timers`);
  return new HostObject(TIMER_KIND, timer);
}

function checkSeconds(seconds: number): void {
  if (!(seconds >= 0 && seconds <= MAX_SECONDS)) {
    throw new LuaError(`seconds must be from 0 to ${MAX_SECONDS}, got ${seconds}`);
  }
}

export const timeFunctions: ApiFunction<MixHost>[] = [
  {
    name: 'mix.sleep',
    doc: 'Waits so many seconds; other handlers run meanwhile.',
    params: [SECONDS],
    returns: [],
    waits: true,
    example: 'mix.sleep(0.5)',
    run: ({ program }, seconds: number) => {
      checkSeconds(seconds);
      return program.timers.sleep(seconds);
    },
  },
  {
    name: 'mix.every',
    doc:
      'Calls a function again and again, the first time after `seconds`. A turn is skipped while the function is ' +
      'still busy. Returns a timer.',
    params: [SECONDS, value('fn', 'function', 'called without arguments; it may wait')],
    returns: [value('timer', 'raw')],
    example: 'mix.every(10, function() print("tick") end)',
    run: (host, seconds: number, fn: LuaValue) => start(host, seconds, fn, true),
  },
  {
    name: 'mix.after',
    doc: 'Calls a function once, after `seconds`. Returns a timer.',
    params: [SECONDS, value('fn', 'function', 'called without arguments; it may wait')],
    returns: [value('timer', 'raw')],
    example: 'local timer = mix.after(5, function() print("late") end)\ntimer:cancel()',
    run: (host, seconds: number, fn: LuaValue) => start(host, seconds, fn, false),
  },
];

export const timerMethods: ApiFunction<Timer>[] = [
  {
    name: 'timer:cancel',
    doc: 'Stops the timer. Cancelling it again does nothing.',
    params: [],
    returns: [],
    example: 'local timer = mix.every(1, print)\ntimer:cancel()',
    run: (timer) => timer.cancel(),
  },
];
