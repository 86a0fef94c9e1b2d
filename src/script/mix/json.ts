/** `mix.json_encode`, `mix.json_decode`, as CONNMIX has them. */

import { json } from '../../codecs/json.js';
import { type ApiFunction, optional, value } from '../api.js';
import { orFailure } from './failure.js';

export const jsonFunctions: ApiFunction<unknown>[] = [
  {
    name: 'mix.json_encode',
    doc:
      'A value as JSON. A table with the keys 1…n becomes an array, an empty table too ("[]"); any other table an ' +
      'object. Whole numbers to 2^53 have no fraction; not-a-number and infinities become null. Strings that are ' +
      'not UTF-8 become base64 text. Tables may be nested 64 deep. Returns nil and an error for anything else.',
    params: [{ ...optional('value', 'value', 'nil, a boolean, number, string or table'), refusable: true }],
    returns: [value('json', 'bytes')],
    example: 'print(mix.json_encode({ id = 7, tags = { "a", "b" } }))',
    run: (_, data: unknown) => orFailure(() => json.encode(data ?? null)),
  },
  {
    name: 'mix.json_decode',
    doc:
      'Reads JSON (UTF-8). Arrays become tables with the keys 1…n, null becomes nil. Numbers beyond 2^53 lose ' +
      'digits. Returns nil and an error when the text is not one JSON value or nests deeper than 64.',
    params: [value('json', 'bytes')],
    returns: [value('value', 'value')],
    example: 'local t, err = mix.json_decode(\'{"temperature": 21.5}\')\nprint(t.temperature)',
    run: (_, text: Uint8Array) => orFailure(() => json.decode(text)),
  },
];
