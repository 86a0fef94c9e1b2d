/** Every protocol module of lua/, interpreted as its script is and compiled as it runs. */

import { readdirSync } from 'node:fs';
import { compiledVm } from '../../support/compiled.js';
import { offlineVm, ProtocolUnderTest } from '../../support/protocol.js';
import { changed } from '../mutations.js';
import { REPAIRS } from '../repairs.js';
import { Finding, type Target } from '../target.js';
import { seedsOf } from '../vectors.js';

const PARTS = [undefined, 'server', 'client', 'monitor'];
/** CPU time of this process for one input, in microseconds. The budget of a callback is about 100 ms of it. */
const MOST_CPU = 3_000_000;

export async function protocols(): Promise<readonly Target[]> {
  return readdirSync('lua/protocols')
    .filter((file) => file.endsWith('.lua') && !file.endsWith('_test.lua'))
    .map((file) => target(file.slice(0, -'.lua'.length)));
}

function target(module: string): Target {
  const seeds = seedsOf(module, module.replace(/_.*/, ''));
  const repair = REPAIRS[module];
  // Modules are loaded with their first input: most runs are about a few.
  let under: ProtocolUnderTest[] | undefined;
  return {
    name: `protocols.${module}`,
    make(random) {
      const bytes =
        random.below(20) === 0 ? random.bytes(random.below(80)) : changed(random.pick(seeds), random, seeds);
      return repair && random.below(3) > 0 ? repair(Buffer.from(bytes)) : bytes;
    },
    run(input) {
      under ??= load(module);
      const began = process.cpuUsage();
      for (const each of under) withstand(each, input);
      const { user, system } = process.cpuUsage(began);
      if (user + system > MOST_CPU) throw new Finding(`takes ${(user + system) / 1000} ms`);
    },
  };
}

function load(module: string): ProtocolUnderTest[] {
  return [offlineVm(), compiledVm()].flatMap((vm) =>
    PARTS.flatMap((part) => {
      const table = vm.require(`protocols.${module}`);
      if (part !== undefined && vm.type(vm.field(table, part)) !== 'table') return [];
      const under = new ProtocolUnderTest(`protocols.${module}`, part, vm);
      return under.protocol.decodes ? [under] : [];
    }),
  );
}

/** As a stream and as a frame by itself, twice in one session. */
function withstand(under: ProtocolUnderTest, input: Uint8Array): void {
  for (const attempt of [
    () => {
      const peer = under.peer();
      peer.decode(input);
      peer.decode(input);
    },
    () => {
      if (under.protocol.framed) under.feed([input, null, input.subarray(0, input.length >> 1), null, null]);
    },
  ]) {
    try {
      attempt();
    } catch (error) {
      // An `input` function may ask for the connection to be closed.
      if ((error as Error).name !== 'DisconnectRequest') throw error;
    }
  }
}
