/** `mix.log` and its levels. */

import { LOG_LEVELS, type LogLevel } from '../../log.js';
import { type ApiFunction, value } from '../../script/api.js';
import { LuaError, type LuaValue } from '../../script/executor.js';

/** What runs the script that logs. */
export interface LogHost {
  tostring(value: LuaValue): string;
  /** Writes a line, one character a byte, with the place in the script that is running. */
  logLine(text: string, level: LogLevel): void;
}

/** `mix.DEBUG` and the others; any of their numbers, or a level's name, is a level. */
export const logLevels = { DEBUG: 0, INFO: 1, WARN: 2, ERROR: 3 };

export const logFunctions: ApiFunction<LogHost>[] = [
  {
    name: 'mix.log',
    doc: 'Writes a line to the log, with the script and line it comes from. Returns true.',
    params: [value('level', 'raw', 'mix.DEBUG, mix.INFO, mix.WARN or mix.ERROR'), value('message', 'raw')],
    returns: [value('ok', 'boolean')],
    example: 'mix.log(mix.INFO, "a tracker logged in")',
    run: (host, level: LuaValue, message: LuaValue) => {
      const name =
        typeof level === 'number'
          ? LOG_LEVELS[level]
          : LOG_LEVELS.find((known) => known === String(level).toLowerCase());
      if (name === undefined)
        throw new LuaError('mix.log: the level is mix.DEBUG, mix.INFO, mix.WARN or mix.ERROR');
      host.logLine(host.tostring(message), name);
      return true;
    },
  },
];
