import type { Vm } from '../../script/vm.js';
import type { Client } from '../client.js';
import type { Station } from '../station.js';

/** What the engine's functions of `mix` work on. */
export interface MixHost {
  vm: Vm;
  station: Station;
}

/** Stands for a client as the owner of a handler that does a command: its requests come first on the bus. */
export class CommandOf {
  constructor(readonly client: Client) {}
}

/** The client whose handler runs; undefined in timers and `init`. */
export function currentClient({ vm }: Pick<MixHost, 'vm'>): Client | undefined {
  return vm.owner instanceof CommandOf ? vm.owner.client : (vm.owner as Client | undefined);
}
