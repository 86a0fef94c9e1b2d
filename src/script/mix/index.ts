/** The functions of `mix` that need no engine, no other node and no service, as data. */

import type { ApiFunction } from '../api.js';
import { checkFunctions } from './checks.js';
import { clockFunctions } from './clock.js';
import { digestFunctions } from './digest.js';
import { frameEncodeFunctions } from './frame_encode.js';
import { jsonFunctions } from './json.js';
import { phpFunctions } from './php.js';
import { structFunctions } from './struct.js';
import { textFunctions } from './text.js';
import { urlFunctions } from './url.js';

/** Those that look at no host. `mix.codec.*` and `mix.frame.*` take one. */
export const pureMix: ApiFunction<unknown>[] = [
  ...jsonFunctions,
  ...textFunctions,
  ...digestFunctions,
  ...checkFunctions,
  ...phpFunctions,
  ...urlFunctions,
  ...structFunctions,
  ...frameEncodeFunctions,
  ...clockFunctions,
];

export { type CodecHost, codecFunctions } from './codec.js';
export { type FrameHost, frameFunctions } from './frame.js';
export { structMethods } from './struct.js';
export { type TemplateHost, templateFunctions } from './template.js';
