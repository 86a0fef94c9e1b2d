/** What is safe of Lua 5.3's `os` library (manual §6.9): time only. Times are Unix seconds. */

import { Arguments } from '../arguments.js';
import { type Executor, LuaError, type LuaValue, type Native } from '../executor.js';
import { parseNumber } from '../numbers.js';
import { calendarTime, strftime } from './calendar.js';
import { chargeBytes, checkSize } from './strings.js';

/** Longest format of `os.date`. */
const MAX_FORMAT = 4096;
/** Bound of the fields of a date table, as in Lua. */
const MAX_FIELD = 2 ** 30 - 1;

/** The library. */
export function osLibrary(): Record<string, Native> {
  return { clock, date, difftime, time };
}

/** Seconds of processor time that this process has used. */
function clock(): LuaValue {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

function difftime(ex: Executor, values: LuaValue[]): LuaValue {
  const args = new Arguments(ex, 'difftime', values);
  return args.number(1) - (args.value(2) === undefined ? 0 : args.number(2));
}

/** `date([format[, time]])`: "!" first means UTC, else local time; "*t" returns a table. A fraction is dropped. */
function date(ex: Executor, values: LuaValue[]): LuaValue {
  const args = new Arguments(ex, 'date', values);
  const given = args.value(1) === undefined ? '%c' : args.string(1);
  const seconds = args.value(2) === undefined ? Date.now() / 1000 : args.number(2);
  if (given.length > MAX_FORMAT) args.fail(1, `format longer than ${MAX_FORMAT} bytes`);
  const utc = given.startsWith('!');
  const format = utc ? given.slice(1) : given;
  const moment = calendarTime(seconds, utc);
  if (format.startsWith('*t')) {
    return ex.table({
      year: moment.year,
      month: moment.month,
      day: moment.day,
      hour: moment.hour,
      min: moment.minute,
      sec: moment.second,
      wday: moment.weekday + 1,
      yday: moment.yearDay + 1,
      isdst: moment.daylightSaving,
    });
  }
  const text = strftime(format, moment, (conversion) =>
    args.fail(1, `invalid conversion specifier '${conversion}'`),
  );
  checkSize(text.length);
  chargeBytes(ex, 16 * text.length);
  return text;
}

/** `time([table])`: now, or the local time that the table's fields give (`isdst` is not looked at). */
function time(ex: Executor, values: LuaValue[]): LuaValue {
  const args = new Arguments(ex, 'time', values);
  if (args.value(1) === undefined) return Math.floor(Date.now() / 1000);
  const table = args.table(1);
  const field = (key: string, fallback?: number) => dateField(ex, table, key, fallback);
  const [second, minute, hour] = [field('sec', 0), field('min', 0), field('hour', 12)];
  const [day, month, year] = [field('day'), field('month'), field('year')];
  const moment = new Date(0);
  // Not the constructor: it takes the years 0…99 for 1900…1999.
  moment.setFullYear(year, month - 1, day);
  moment.setHours(hour, minute, second, 0);
  const ms = moment.getTime();
  if (Number.isNaN(ms)) throw new LuaError('time result cannot be represented in this installation');
  return ms / 1000;
}

function dateField(ex: Executor, table: LuaValue, key: string, fallback: number | undefined): number {
  const value = ex.index(table, key);
  const n = typeof value === 'string' ? parseNumber(value) : value;
  if (typeof n !== 'number' || !Number.isInteger(n)) {
    if (value !== undefined) throw new LuaError(`field '${key}' is not an integer`);
    if (fallback === undefined) throw new LuaError(`field '${key}' missing in date table`);
    return fallback;
  }
  if (Math.abs(n) > MAX_FIELD) throw new LuaError(`field '${key}' is out-of-bound`);
  return n;
}
