/** The units of a bus, and which of them are left alone. */

import { Failure } from '../../errors.js';
import type { BreakerSettings } from './breaker.js';
import type { Load } from './load.js';
import { Unit } from './unit.js';

/** Units that a bus keeps account of. */
const MAX_UNITS = 1000;
/** On a line that is this busy, probes of a unit that does not answer get no more than this part of the time. */
const BUSY = 0.5;
const PROBE_SHARE = 0.01;

export class Units {
  private readonly byName = new Map<string, Unit>();

  constructor(
    private readonly breaker: BreakerSettings,
    private readonly load: Load,
  ) {}

  /** The unit of that name; a {@link Failure} `too_large` when there are too many. */
  get(name: string): Unit | Failure {
    let unit = this.byName.get(name);
    if (unit) return unit;
    if (this.byName.size >= MAX_UNITS) return new Failure(`too_large: a bus has at most ${MAX_UNITS} units`);
    unit = new Unit(name, this.breaker);
    this.byName.set(name, unit);
    return unit;
  }

  /** Why a request to a unit cannot be taken: it does not answer. `now` as of `performance.now()`. */
  refusal(unit: Unit, now: number): Failure | undefined {
    const { state, nextProbe, reason } = unit.breaker;
    if (state === 'closed') return undefined;
    const probeAt = this.load.share(now) < BUSY ? nextProbe : Math.max(nextProbe, unit.probesFrom);
    if (state === 'open' && now >= probeAt) return undefined;
    const when =
      state === 'open' ? `asked again in ${((probeAt - now) / 1000).toFixed(1)} s` : 'being asked again';
    return new Failure(`overloaded: unit ${unit.name} is left alone (${reason}), ${when}`);
  }

  /** A try without a good reply, which took from `began` to `now`. */
  failed(unit: Unit, why: string, began: number, now: number): void {
    unit.breaker.failed(why, now);
    unit.probesFrom = now + (now - began) / PROBE_SHARE;
  }

  /** Plain values for the API. */
  report(now: number) {
    return [...this.byName.values()].map((unit) => unit.report(now));
  }
}
