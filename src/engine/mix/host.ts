import type { Vm } from '../../script/vm.js';
import type { Client } from '../client.js';
import { Stranger } from '../conn.js';
import type { Program } from '../program.js';
import type { Station } from '../station.js';

/** What the engine's functions of `mix` work on. */
export interface MixHost {
  vm: Vm;
  station: Station;
  program: Program;
}

/** Stands for a client as the owner of a handler that does a command: its requests come first on the bus. */
export class CommandOf {
  constructor(readonly client: Client) {}
}

/** Stands for a client as the owner of what its timers run, which is in no handler of it. */
export class TimerOf {
  constructor(readonly client: Client) {}
}

/** The client whose handler runs; undefined in timers and `init`. */
export function currentClient({ vm }: Pick<MixHost, 'vm'>): Client | undefined {
  return vm.owner instanceof TimerOf ? undefined : ownerOf(vm.owner);
}

/** The client for which something runs, if for any: one of its handlers, a command, or a timer started there. */
export function ownerOf(owner: unknown): Client | undefined {
  if (owner instanceof CommandOf || owner instanceof TimerOf || owner instanceof Stranger)
    return owner.client;
  return owner as Client | undefined;
}
