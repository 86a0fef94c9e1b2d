/** In which order a scan tries line settings and units: what is likely comes first. */

import type { LinkConfig } from '../config/schema.js';

/** How a line may be set. */
export interface LineSetting {
  readonly baudRate: number;
  readonly parity: 'none' | 'even' | 'odd';
}

/** Rates that devices leave the factory with, the most frequent ones first. */
export const LIKELY_BAUDS: readonly number[] = [9600, 19_200, 115_200, 38_400, 2400, 4800, 57_600, 1200];
/** Most devices have no parity, although the standard wants an even one (MODBUS over Serial Line V1.02, 2.5.1). */
export const LIKELY_PARITIES: readonly LineSetting['parity'][] = ['none', 'even'];
/** Units that devices leave the factory with or are given first. */
const LIKELY_UNITS: readonly number[] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 100, 240, 247];

/** All settings to try; `first`, what a configuration says of the line, comes first. */
export function lineSettings(
  bauds: readonly number[],
  parities: readonly LineSetting['parity'][],
  first?: LineSetting,
): LineSetting[] {
  const all = bauds.flatMap((baudRate) => parities.map((parity) => ({ baudRate, parity })));
  if (!first) return all;
  return [first, ...all.filter((one) => one.baudRate !== first.baudRate || one.parity !== first.parity)];
}

/** Divides units into those tried with every setting first, and the rest; each in ascending order. */
export function likelyUnits(units: readonly number[]): { likely: number[]; rest: number[] } {
  return {
    likely: units.filter((unit) => LIKELY_UNITS.includes(unit)),
    rest: units.filter((unit) => !LIKELY_UNITS.includes(unit)),
  };
}

/** Reads "1-20,100" as ascending units from 1 to 247; undefined when it is no such list. */
export function parseUnits(text: string): number[] | undefined {
  const units = new Set<number>();
  for (const part of text.split(',')) {
    const match = /^\s*(\d{1,3})(?:\s*-\s*(\d{1,3}))?\s*$/.exec(part);
    if (!match) return undefined;
    const [from, to] = [Number(match[1]), Number(match[2] ?? match[1])];
    if (from < 1 || to > 247 || from > to) return undefined;
    for (let unit = from; unit <= to; unit++) units.add(unit);
  }
  return [...units].sort((a, b) => a - b);
}

/** What a configuration says of a serial link's line. */
export function settingOf(link: LinkConfig): LineSetting | undefined {
  return link.kind === 'serial' ? { baudRate: link.serial.baudRate, parity: link.serial.parity } : undefined;
}
