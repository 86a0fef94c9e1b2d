/**
 * Where compiled code was when an error was made. Generated lines are those of the Lua source, so V8's own stack
 * tells: nothing is kept while code runs.
 */

import { LuaError } from '../../executor.js';

/** Begins the name of every compiled script; the chunk's name follows, encoded as a URI. */
export const SCRIPT = 'lua:';

/** `new Function` puts so many lines before a body. */
const HEADER_LINES = 2;

/** Frames that V8 keeps in an error while Lua runs. */
export const STACK_FRAMES = 100;

const FRAME = /^\s+at (?:(?:new )?([^\s(]+) (?:\[as [^\]]+\] )?\()?lua:([^\s)]*):(\d+):\d+\)?$/;
/** The runtime's functions that Lua knows as C functions: they are levels of their own. */
const NATIVE = /^\s+at (?:\w+\.)?(?:luaNative|luaPcall|luaXPcall)\b/;

const NATIVE_PCALL = /luaX?Pcall/;

export interface Frame {
  /** `file:line`; undefined for a native function. */
  place: string | undefined;
  name: string;
}

/** The stack of an error as Lua's levels, the innermost first. */
export function frames(error: Error): Frame[] {
  const found: Frame[] = [];
  for (const line of error.stack?.split('\n') ?? []) {
    const frame = FRAME.exec(line);
    if (frame) {
      const [, name = '', chunk, at] = frame;
      found.push({
        place: `${decodeURI(chunk!)}:${Number(at) - HEADER_LINES}`,
        name: name.replace(/^\$\$/, ''),
      });
    } else if (NATIVE.test(line))
      found.push({ place: undefined, name: NATIVE_PCALL.test(line) ? 'pcall' : 'native' });
  }
  return found;
}

/** `file:line: ` of a level (1: who made the error), or nothing where that is no Lua. */
export function where(error: Error, level: number): string {
  const all = frames(error);
  // A native function that made the error itself is level 0.
  const first = all[0]?.name === 'native' && all[0].place === undefined ? 1 : 0;
  const place = all[first + level - 1]?.place;
  return place === undefined ? '' : `${place}: `;
}

/** As Lua's `debug.traceback`, in short. */
export function traceback(error: Error): string {
  const lines = frames(error).map(({ place, name }) =>
    place === undefined
      ? '\t[C]: in ?'
      : `\t${place}: in ${name === 'main' ? 'main chunk' : name === '' ? 'function <anonymous>' : `function '${name}'`}`,
  );
  return ['stack traceback:', ...lines].join('\n');
}

/** An error whose value stands as it is, place included. */
export class Raised extends LuaError {}
