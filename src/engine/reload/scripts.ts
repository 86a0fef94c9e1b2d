/** The scripts of an engine: what runs, and how saved ones take over. */

import { Failure } from '../../errors.js';
import type { Engine } from '../engine.js';
import type { Station } from '../station.js';
import type { ReloadOptions, ReloadResult } from './reload.js';

/** What a server or link runs. */
export interface RunningScript {
  /** Name of the server or link. */
  readonly station: string;
  readonly entry: string;
  /** Unix seconds when this code took over. */
  readonly since: number;
  /** All that was loaded, with its SHA-256 in hex. */
  readonly files: readonly { readonly file: string; readonly hash: string }[];
  /** Why its protocol module is not compiled; undefined when it is, and when there is none. */
  readonly notCompiled: string | undefined;
  /** A burst of errors puts the code before it in charge again. */
  readonly onProbation: boolean;
  /** Older programs that still have something under way. */
  readonly former: number;
  /** What became of the last reload. */
  readonly last: ReloadResult | undefined;
}

export class Scripts {
  constructor(private readonly engine: Engine) {}

  /** What runs. */
  list(): RunningScript[] {
    return this.stations().map(({ settings, program, reloads }) => ({
      station: settings.name,
      entry: program.entry,
      since: program.since,
      files: [...program.vm.loader.sources.values()].map(({ name, hash }) => ({ file: name, hash })),
      notCompiled: program.notCompiled,
      onProbation: reloads.onProbation,
      former: reloads.former.size,
      last: reloads.last,
    }));
  }

  /**
   * Replaces the code of every server and link of which something was saved, each by itself; of one alone where `name` is
   * given. A {@link Failure} `not_found` when there is none of that name with a script.
   */
  async reload(name: string | undefined, options: ReloadOptions): Promise<ReloadResult[] | Failure> {
    const stations = this.stations().filter(({ settings }) => name === undefined || settings.name === name);
    if (name !== undefined && stations.length === 0)
      return new Failure(`not_found: no server or link ${name} with a script`);
    // One after the other: compiling several at once would hold up all clients longer.
    const results: ReloadResult[] = [];
    for (const { reloads } of stations) results.push(await reloads.reload(options));
    return results;
  }

  private stations(): Station[] {
    const { servers, links } = this.engine;
    return [...servers, ...links]
      .map(({ station }) => station)
      .filter(({ handlers, program }) => !handlers && program !== undefined);
  }
}
