/** Runs pieces of Lua inside a real engine, where they may wait. */

import type { Test } from 'tap';
import type { Engine } from '../../src/engine/engine.js';
import { toOptions } from '../../src/script/convert.js';
import { startTestEngine } from './engine.js';

/** Runs Lua text as the body of a function; resolves with its results. Strings are one-byte strings. */
export type RunLua = (source: string) => Promise<unknown[]>;

/** Starts an engine that ends with the test. `luavm`: YAML of `engine.luavm`. */
export async function startLua(t: Test, luavm = '{}'): Promise<{ run: RunLua; engine: Engine }> {
  const { engine, stop } = await startTestEngine(
    { 'main.lua': '' },
    `luavm: ${luavm}\nservers: [{ name: s, port: 0, bind: 127.0.0.1, entry: main.lua }]`,
  );
  t.teardown(stop);
  const { vm } = engine.servers[0]!.station.program;
  const run: RunLua = async (source) => {
    const [fn] = vm.execute(`return function() ${source}\nend`, '=test');
    const results = await vm.run(fn, []);
    return results.map((value) => toOptions(vm.values.slot(value)));
  };
  return { run, engine };
}
