/** `mix.link`: links that come and go while the engine runs. */

import { MoonwireError } from '../../errors.js';
import { type ApiFunction, Failure, value } from '../../script/api.js';
import type { MixHost } from './host.js';

const NAME = value('name', 'text');
const CONFIG = value('config', 'value', 'a table as a link of the configuration');
const ALLOWED =
  'Needs `engine.addedLinks.byScripts`; links of the configuration, and the one that the script runs for, are not changed.';

/** A table without the empty ones in it: these may be maps or lists, and mean what is left out. */
function written(given: unknown): unknown {
  if (typeof given !== 'object' || given === null || given instanceof Uint8Array) return given;
  if (Array.isArray(given)) return given.map(written);
  const entries = Object.entries(given).filter(([, item]) => !(Array.isArray(item) && item.length === 0));
  return Object.fromEntries(entries.map(([key, item]) => [key, written(item)]));
}

/** What a change comes to; what is wrong with it is told to the script. */
async function told<T>(change: Promise<T>): Promise<T | Failure> {
  try {
    return await change;
  } catch (error) {
    if (error instanceof MoonwireError) return new Failure(`${error.code}: ${error.message}`);
    throw error;
  }
}

export const linkFunctions: ApiFunction<MixHost>[] = [
  {
    name: 'mix.link.add',
    doc:
      'Adds a link, which begins to open; `temporary = true` beside its settings: it is not kept over a restart. ' +
      `Returns its name, or nil and an error that tells all that is wrong. ${ALLOWED}`,
    params: [CONFIG],
    returns: [NAME],
    waits: true,
    example:
      'local name, err = mix.link.add({ name = "pump", tcp = { host = "192.0.2.7", port = 502 }, entry = "entry.modbus.lua" })',
    run: ({ station }, config: unknown) =>
      told(
        station.engine.addedLinks
          .add(written(config), { script: station.settings.name })
          .then(({ name }) => name),
      ),
  },
  {
    name: 'mix.link.update',
    doc:
      'Puts other settings in the place of those of an added link: its connection ends, and another opens as a new ' +
      `client. Returns its name, or nil and an error, the link being as it was. ${ALLOWED}`,
    params: [NAME, CONFIG],
    returns: [NAME],
    waits: true,
    example:
      'mix.link.update("pump", { tcp = { host = "192.0.2.8", port = 502 }, entry = "entry.modbus.lua" })',
    run: ({ station }, name: string, config: unknown) =>
      told(
        station.engine.addedLinks
          .replace(name, written(config), { script: station.settings.name })
          .then(() => name),
      ),
  },
  {
    name: 'mix.link.remove',
    doc: `Takes an added link away; what waits for its device fails. Returns true, or nil and an error. ${ALLOWED}`,
    params: [NAME],
    returns: [value('ok', 'boolean')],
    waits: true,
    example: 'mix.link.remove("pump")',
    run: ({ station }, name: string) =>
      told(station.engine.addedLinks.remove(name, { script: station.settings.name }).then(() => true)),
  },
  {
    name: 'mix.link.list',
    doc:
      'All links of this engine: a list of tables with `name kind entry state` ("connecting", "open", "waiting", ' +
      '"lent"), `addresses address client since next_try last_error opened failed`, `added` and `temporary`.',
    params: [],
    returns: [value('links', 'value')],
    example: 'for _, link in ipairs(mix.link.list()) do print(link.name, link.state) end',
    run: ({ station }) => station.engine.addedLinks.list(),
  },
];
