import type { Vm } from '../../script/vm.js';
import type { Client } from '../client.js';
import type { Station } from '../station.js';

/** What the engine's functions of `mix` work on. */
export interface MixHost {
  vm: Vm;
  station: Station;
}

/** The client whose handler runs; undefined in timers and `init`. */
export function currentClient({ vm }: MixHost): Client | undefined {
  return vm.owner as Client | undefined;
}
