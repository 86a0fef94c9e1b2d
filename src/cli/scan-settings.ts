/** In which order a scan tries line settings and units: what is likely comes first. */

import type { SerialSettings } from '../transports/serialdevice.js';

/** Protocols whose units can be looked for. */
export const SCAN_PROTOCOLS = ['modbus_rtu', 'modbus_ascii'] as const;
export type ScanProtocol = (typeof SCAN_PROTOCOLS)[number];

/** What a character is made of, beside its start bit. */
export interface CharacterFormat {
  readonly dataBits: 5 | 6 | 7 | 8;
  readonly parity: 'none' | 'even' | 'odd';
  readonly stopBits: 1 | 2;
}

/** How a line may be set. */
export interface LineSetting extends CharacterFormat {
  readonly baudRate: number;
}

/** Rates that devices leave the factory with, the most frequent ones first. */
export const LIKELY_BAUDS: readonly number[] = [9600, 19_200, 115_200, 38_400, 2400, 4800, 57_600, 1200];
/**
 * Formats in the order to try (MODBUS over Serial Line V1.02, 2.5.1 and 2.5.2). Most RTU devices have no parity,
 * although the standard wants an even one; those that send two stop bits mostly take one.
 */
export const LIKELY_FORMATS: Readonly<Record<ScanProtocol, string>> = {
  modbus_rtu: '8N1,8E1',
  modbus_ascii: '7E1,8N1,7N2',
};
/** Units that devices leave the factory with or are given first. */
const LIKELY_UNITS: readonly number[] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 100, 240, 247];
const LETTERS = { none: 'N', even: 'E', odd: 'O' } as const;

/** All settings to try; `first`, what a configuration says of the line, comes first. */
export function lineSettings(
  bauds: readonly number[],
  formats: readonly CharacterFormat[],
  first?: SerialSettings,
): LineSetting[] {
  const all = bauds.flatMap((baudRate) => formats.map((format) => ({ baudRate, ...format })));
  if (!first) return all;
  const { baudRate, dataBits = 8, parity = 'none', stopBits = 1 } = first;
  const configured = { baudRate, dataBits, parity, stopBits };
  return [configured, ...all.filter((one) => settingText(one) !== settingText(configured))];
}

/** A setting in the usual short form, as 9600 8N1. */
export function settingText({ baudRate, dataBits, parity, stopBits }: LineSetting): string {
  return `${baudRate} ${dataBits}${LETTERS[parity]}${stopBits}`;
}

/** Reads a list such as "8N1,8E1"; undefined when it is no such list. */
export function parseFormats(text: string): CharacterFormat[] | undefined {
  const formats: CharacterFormat[] = [];
  for (const part of text.split(',')) {
    const match = /^([5-8])([NEO])([12])$/i.exec(part.trim());
    if (!match || formats.length >= 24) return undefined;
    const letter = match[2]!.toUpperCase();
    formats.push({
      dataBits: Number(match[1]) as CharacterFormat['dataBits'],
      parity: letter === 'N' ? 'none' : letter === 'E' ? 'even' : 'odd',
      stopBits: Number(match[3]) as CharacterFormat['stopBits'],
    });
  }
  return formats;
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
