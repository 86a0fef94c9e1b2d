/** `mix.md5`, `mix.sha1` and their binary forms, as CONNMIX has them. */

import { createHash } from 'node:crypto';
import { type ApiFunction, value } from '../api.js';

const NAMES = { md5: 'MD5', sha1: 'SHA-1' } as const;

/** The two functions of one digest. */
function digest(name: keyof typeof NAMES): ApiFunction<unknown>[] {
  const title = NAMES[name];
  const compute = (data: Uint8Array) => createHash(name).update(data).digest();
  return [
    {
      name: `mix.${name}`,
      doc: `The ${title} digest as lower-case hexadecimal digits. For checks that a protocol asks for, not for security.`,
      params: [value('data', 'bytes')],
      returns: [value('digits', 'string')],
      example: `print(mix.${name}("hello"))`,
      run: (_, data: Uint8Array) => compute(data).toString('hex'),
    },
    {
      name: `mix.${name}_bin`,
      doc: `The ${title} digest as bytes.`,
      params: [value('data', 'bytes')],
      returns: [value('bytes', 'bytes')],
      example: `print(#mix.${name}_bin("hello"))`,
      run: (_, data: Uint8Array) => compute(data),
    },
  ];
}

export const digestFunctions: ApiFunction<unknown>[] = [...digest('md5'), ...digest('sha1')];
