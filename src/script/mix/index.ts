/** The pure part of `mix`: functions that need no engine, no other node and no service. */

import type { CodecRegistry } from '../../codecs/registry.js';
import type { Vm } from '../vm.js';
import { frameFunctions } from './frame.js';
import { structFunctions, structMethods } from './struct.js';

/** What the pure functions take from where they run. */
export interface PureHost {
  codecs: CodecRegistry;
  /** Default of a framing's `max`. */
  frameBytes: number;
}

/** Puts the pure functions into a VM. */
export function installPureMix(vm: Vm, host: PureHost): void {
  vm.define(frameFunctions, host);
  vm.define(structFunctions, host);
  vm.define(structMethods, undefined);
}
