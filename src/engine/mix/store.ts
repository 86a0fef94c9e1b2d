/** `mix.store`: small durable values, shared by the scripts of an engine. */

import { MoonwireError, messageOf } from '../../errors.js';
import { type ApiFunction, Failure, optional, value } from '../../script/api.js';
import type { MixHost } from './host.js';

const key = value('key', 'text', '1 to 256 bytes');

export const storeFunctions: ApiFunction<MixHost>[] = [
  {
    name: 'mix.store.get',
    doc: 'The value kept under a key; nil when there is none.',
    params: [key],
    returns: [value('value', 'value')],
    example: 'local count = mix.store.get("count") or 0',
    run: ({ station }, name: string) => {
      const bytes = station.engine.parts.values.get(name);
      return bytes && station.engine.parts.codecs.decode('cbor', bytes);
    },
  },
  {
    name: 'mix.store.set',
    doc:
      'Keeps plain data under a key, on disk when the call returns; nil removes it. Returns true, or nil and an ' +
      'error when it is too large.',
    params: [key, optional('value', 'value', 'at most 64 KiB encoded')],
    returns: [value('ok', 'boolean')],
    waits: true,
    example: 'mix.store.set("count", 42)',
    run: async ({ station }, name: string, item: unknown) => {
      try {
        const { parts } = station.engine;
        if (item === undefined) await parts.values.delete(name);
        else await parts.values.set(name, parts.codecs.encode('cbor', item));
        return true;
      } catch (error) {
        if (error instanceof MoonwireError) return new Failure(`${error.code}: ${messageOf(error)}`);
        throw error;
      }
    },
  },
];
