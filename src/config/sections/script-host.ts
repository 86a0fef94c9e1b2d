/** What servers and links have in common: the script that speaks to their peers. */

import { duration, name, optional, path, reader, required, setting } from '../values.js';

/** Values handed to a script by `mix.server.option(name)`. */
export type Options = Readonly<Record<string, string | number | boolean>>;

const MAX_OPTIONS = 1000;

/** `options` as a map, or as CONNMIX's list of `{name, value}`; the result is a map either way. */
const options = reader<Options>(
  'a map of names to text, numbers or switches, or a list of {name, value}, without repeated names',
  (value) => {
    if (typeof value !== 'object' || value === null) return undefined;
    const entries = Array.isArray(value) ? value.map(nameAndValue) : Object.entries(value);
    if (entries.length > MAX_OPTIONS || new Set(entries.map(([key]) => key)).size !== entries.length) return;
    return entries.every(isOption) ? Object.fromEntries(entries) : undefined;
  },
  { type: ['object', 'array'] },
);

function nameAndValue(item: unknown): [unknown, unknown] {
  if (typeof item !== 'object' || item === null) return [undefined, undefined];
  const { name, value, ...others } = item as Record<string, unknown>;
  return Object.keys(others).length === 0 ? [name, value] : [undefined, undefined];
}

function isOption(entry: [unknown, unknown]): entry is [string, string | number | boolean] {
  const [key, value] = entry;
  return typeof key === 'string' && key !== '' && ['string', 'number', 'boolean'].includes(typeof value);
}

/** The settings of the script of a server or link. */
export const scriptHost = {
  name: optional(name(), 'Name in logs, metrics and the API; derived from transport and port when left out.'),
  entry: required(path(), 'Lua file with the handlers; in the working folder, else beside this file.'),
  options: setting(options, {}, 'Values for the script: a map, or a list of {name, value}.'),
  byteCodeExpires: setting(
    duration(0, 86_400),
    '10s',
    'Time between checks for changed scripts; 0 turns hot reload off.',
  ),
};
