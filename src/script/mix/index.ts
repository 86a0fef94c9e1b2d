/** The pure part of `mix`: functions that need no engine, no other node and no service. */

import type { ApiFunction } from '../api.js';
import type { Vm } from '../vm.js';
import { checkFunctions } from './checks.js';
import { clockFunctions } from './clock.js';
import { type CodecHost, codecFunctions } from './codec.js';
import { digestFunctions } from './digest.js';
import { type FrameHost, frameFunctions } from './frame.js';
import { jsonFunctions } from './json.js';
import { phpFunctions } from './php.js';
import { structFunctions, structMethods } from './struct.js';
import { textFunctions } from './text.js';
import { urlFunctions } from './url.js';

/** What the pure functions take from where they run. */
export interface PureHost extends CodecHost, FrameHost {}

/** The functions; methods of what they return are `structMethods`. */
export const pureFunctions: ApiFunction<PureHost>[] = [
  ...jsonFunctions,
  ...textFunctions,
  ...digestFunctions,
  ...checkFunctions,
  ...phpFunctions,
  ...urlFunctions,
  ...codecFunctions,
  ...frameFunctions,
  ...structFunctions,
  ...clockFunctions,
];

/** Puts the pure functions into a VM. */
export function installPureMix(vm: Vm, host: PureHost): void {
  vm.define(pureFunctions, host);
  vm.define(structMethods, undefined);
}
