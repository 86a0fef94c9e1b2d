/** Puts `mix` into a station's VM: the pure functions, and those that reach the engine. */

import { type FrameHost, frameFunctions } from '../../script/mix/frame.js';
import { type CodecHost, codecFunctions, pureMix, structMethods } from '../../script/mix/index.js';
import type { Vm } from '../../script/vm.js';
import { bufferMethods } from '../receive-buffer.js';
import type { Station } from '../station.js';
import { connMethods } from './conn.js';
import { logFunctions, logLevels } from './log.js';
import { nodeFunctions } from './node.js';
import { reportFunctions } from './report.js';
import { storeFunctions } from './store.js';
import { timeFunctions, timerMethods } from './time.js';

/** `mix` without an engine, for checks, tests and offline decoding. */
export function installOfflineMix(vm: Vm, host: CodecHost & FrameHost): void {
  vm.define(pureMix, undefined);
  vm.define(structMethods, undefined);
  vm.define(bufferMethods, undefined);
  vm.define(codecFunctions, host);
  vm.define(frameFunctions, host);
  vm.define(logFunctions, vm);
  for (const [name, level] of Object.entries(logLevels)) vm.constant(`mix.${name}`, level);
}

/** The whole of `mix` for a station's script. */
export function installMix(vm: Vm, station: Station): void {
  const { options, parts } = station.engine;
  installOfflineMix(vm, { codecs: parts.codecs, frameBytes: station.limits.frameBytes });
  vm.define(connMethods, undefined);
  vm.define(timerMethods, undefined);
  const host = { vm, station };
  vm.define(nodeFunctions, host);
  vm.define(timeFunctions, host);
  vm.define(reportFunctions, host);
  vm.define(storeFunctions, host);
  vm.constant(
    'mix.node',
    vm.table({ id: parts.node, name: options.name, labels: vm.table({ ...options.labels }) }),
  );
}
