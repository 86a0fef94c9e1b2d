/** Broken-down time and its formatting by C's `strftime` in the "C" locale. */

import { LuaError } from '../executor.js';

/** A moment in the calendar of one time zone. */
export interface CalendarTime {
  readonly year: number;
  /** 1…12 */
  readonly month: number;
  /** 1…31 */
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  /** 0 (Sunday) … 6 */
  readonly weekday: number;
  /** 0…365 */
  readonly yearDay: number;
  readonly daylightSaving: boolean;
  /** Minutes east of UTC. */
  readonly offset: number;
  /** Abbreviation of the time zone. */
  zone(): string;
}

/** Seconds from 1970 that a JavaScript date can hold, either way. */
const MAX_SECONDS = 8.64e12;
const DAY_MS = 86_400_000;

/** Splits Unix seconds (a fraction is dropped) into the calendar of UTC or of the local time zone. */
export function calendarTime(seconds: number, utc: boolean): CalendarTime {
  if (!(Math.abs(seconds) <= MAX_SECONDS)) {
    throw new LuaError('time result cannot be represented in this installation');
  }
  const date = new Date(Math.floor(seconds) * 1000);
  const offset = utc ? 0 : -date.getTimezoneOffset();
  // The same moment with the local clock's digits as UTC: all fields can be read one way.
  const shifted = utc ? date : localDigits(date);
  const year = shifted.getUTCFullYear();
  const newYear = new Date(0).setUTCFullYear(year, 0, 1);
  return {
    year,
    month: shifted.getUTCMonth() + 1,
    day: shifted.getUTCDate(),
    hour: shifted.getUTCHours(),
    minute: shifted.getUTCMinutes(),
    second: shifted.getUTCSeconds(),
    weekday: shifted.getUTCDay(),
    yearDay: Math.floor((shifted.getTime() - newYear) / DAY_MS),
    daylightSaving: !utc && offset > standardOffset(year),
    offset,
    zone: () => (utc ? 'GMT' : zoneName(date)),
  };
}

function localDigits(date: Date): Date {
  const digits = new Date(0);
  digits.setUTCFullYear(date.getFullYear(), date.getMonth(), date.getDate());
  digits.setUTCHours(date.getHours(), date.getMinutes(), date.getSeconds());
  return digits;
}

function standardOffset(year: number): number {
  const offsets = [0, 6].map((month) => -new Date(year, month, 1).getTimezoneOffset());
  return Math.min(...offsets);
}

function zoneName(date: Date): string {
  const parts = new Intl.DateTimeFormat('en-US', { timeZoneName: 'short' }).formatToParts(date);
  return parts.find((part) => part.type === 'timeZoneName')?.value ?? '';
}

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const MONTHS = [
  ...['January', 'February', 'March', 'April', 'May', 'June'],
  ...['July', 'August', 'September', 'October', 'November', 'December'],
];

/** What each conversion prints; those that stand for a longer format are formats themselves. */
const CONVERSIONS: Record<string, string | ((t: CalendarTime) => string | number)> = {
  a: (t) => DAYS[t.weekday]!.slice(0, 3),
  A: (t) => DAYS[t.weekday]!,
  b: (t) => MONTHS[t.month - 1]!.slice(0, 3),
  B: (t) => MONTHS[t.month - 1]!,
  c: '%a %b %e %H:%M:%S %Y',
  C: (t) => two(Math.floor(t.year / 100)),
  d: (t) => two(t.day),
  D: '%m/%d/%y',
  e: (t) => String(t.day).padStart(2),
  F: '%Y-%m-%d',
  g: (t) => two(modulo(isoWeek(t).year, 100)),
  G: (t) => isoWeek(t).year,
  h: '%b',
  H: (t) => two(t.hour),
  I: (t) => two(t.hour % 12 || 12),
  j: (t) => String(t.yearDay + 1).padStart(3, '0'),
  m: (t) => two(t.month),
  M: (t) => two(t.minute),
  n: () => '\n',
  p: (t) => (t.hour < 12 ? 'AM' : 'PM'),
  r: '%I:%M:%S %p',
  R: '%H:%M',
  S: (t) => two(t.second),
  t: () => '\t',
  T: '%H:%M:%S',
  u: (t) => t.weekday || 7,
  U: (t) => two(Math.floor((t.yearDay + 7 - t.weekday) / 7)),
  V: (t) => two(isoWeek(t).week),
  w: (t) => t.weekday,
  W: (t) => two(Math.floor((t.yearDay + 7 - mondayBased(t)) / 7)),
  x: '%m/%d/%y',
  X: '%H:%M:%S',
  y: (t) => two(modulo(t.year, 100)),
  Y: (t) => t.year,
  z: (t) => {
    const minutes = Math.abs(t.offset);
    return `${t.offset < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}${two(minutes % 60)}`;
  },
  Z: (t) => t.zone(),
  '%': () => '%',
};

/** The conversions that C99 allows behind the modifiers "E" and "O", which change nothing in the "C" locale. */
const MODIFIED: Record<string, string> = { E: 'cCxXyY', O: 'deHImMSuUVwWy' };

/** Formats a time; an unknown conversion is handed to `refuse` as it is written. */
export function strftime(format: string, time: CalendarTime, refuse: (conversion: string) => never): string {
  return format.replace(/%([EO]?)(.?)/gs, (written, modifier: string, letter: string) => {
    const known = Object.hasOwn(CONVERSIONS, letter) ? CONVERSIONS[letter] : undefined;
    if (known === undefined || (modifier && !MODIFIED[modifier]!.includes(letter))) return refuse(written);
    return typeof known === 'string' ? strftime(known, time, refuse) : String(known(time));
  });
}

function two(n: number): string {
  return String(n).padStart(2, '0');
}

function modulo(n: number, by: number): number {
  return ((n % by) + by) % by;
}

/** 0 (Monday) … 6 */
function mondayBased(t: CalendarTime): number {
  return (t.weekday + 6) % 7;
}

/** Week of ISO 8601: weeks begin on Monday, the first one contains January 4. */
function isoWeek(t: CalendarTime): { year: number; week: number } {
  const week = Math.floor((t.yearDay - mondayBased(t) + 10) / 7);
  if (week < 1) return { year: t.year - 1, week: weeksIn(t.year - 1) };
  if (week > weeksIn(t.year)) return { year: t.year + 1, week: 1 };
  return { year: t.year, week };
}

/** A year has 53 weeks when its January 1 or December 31 is a Thursday. */
function weeksIn(year: number): number {
  const weekday = (month: number, day: number) =>
    new Date(new Date(0).setUTCFullYear(year, month, day)).getUTCDay();
  return weekday(0, 1) === 4 || weekday(11, 31) === 4 ? 53 : 52;
}
