/** A real VM with the pure part of `mix`, for trying its functions as scripts call them. */

import { defaultCodecs } from '../../src/codecs/registry.js';
import { silentLogger } from '../../src/log.js';
import type { LuaValue } from '../../src/script/executor.js';
import { codecFunctions, frameFunctions, pureMix, structMethods } from '../../src/script/mix/index.js';
import { Vm } from '../../src/script/vm.js';

export function mixVm(): Vm {
  const vm = new Vm({ roots: [], log: silentLogger });
  const host = { codecs: defaultCodecs(), frameBytes: 65536 };
  vm.define(pureMix, undefined);
  vm.define(structMethods, undefined);
  vm.define(codecFunctions, host);
  vm.define(frameFunctions, host);
  return vm;
}

const vm = mixVm();

/** Runs a script and returns what it returns; strings are one-byte strings, a last table is not looked into. */
export function lua(script: string): LuaValue[] {
  return vm.execute(Buffer.from(script, 'latin1'), '=test');
}

/** A Lua literal of any bytes. */
export function literal(bytes: Uint8Array | string): string {
  const buffer = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes;
  return `"${Array.from(buffer, (byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('')}"`;
}
