/** `mix.codec.*`: the codecs of the registry. */

import type { CodecRegistry } from '../../codecs/registry.js';
import { type ApiFunction, optional, value } from '../api.js';
import { orFailure, orRaise } from './failure.js';

/** What the codec functions work on. */
export interface CodecHost {
  codecs: CodecRegistry;
}

const name = value('name', 'string', '"json", "cbor" or another registered codec');

export const codecFunctions: ApiFunction<CodecHost>[] = [
  {
    name: 'mix.codec.encode',
    doc: 'A value as bytes. Returns nil and an error for what the codec cannot express; raises for an unknown codec.',
    params: [name, optional('value', 'value'), optional('options', 'options')],
    returns: [value('data', 'bytes')],
    example: 'print(mix.hex(mix.codec.encode("cbor", { 1, 2, 3 })))',
    run: ({ codecs }, codec: string, data: unknown, options?: unknown) => {
      const found = orRaise(() => codecs.get(codec));
      return orFailure(() => found.encode(data ?? null, options));
    },
  },
  {
    name: 'mix.codec.decode',
    doc: 'The value of bytes. Returns nil and an error unless they are one whole value; raises for an unknown codec.',
    params: [name, value('data', 'bytes'), optional('options', 'options')],
    returns: [value('value', 'value')],
    example: 'local t, err = mix.codec.decode("cbor", "\\x83\\x01\\x02\\x03")\nprint(#t)',
    run: ({ codecs }, codec: string, data: Uint8Array, options?: unknown) => {
      const found = orRaise(() => codecs.get(codec));
      return orFailure(() => found.decode(data, options));
    },
  },
];
