/** All framings by name: one row each. */
import { MoonwireError } from '../errors.js';
import type { FramerDefaults } from './frame_shape.js';
import type { FramerSpec } from './framer.js';
import { any } from './framers/any.js';
import { bracket } from './framers/bracket.js';
import { cobs } from './framers/cobs.js';
import { delimiter } from './framers/delimiter.js';
import { dlmsHdlc } from './framers/dlms_hdlc.js';
import { dlt645 } from './framers/dlt645.js';
import { dsmrP1 } from './framers/dsmr_p1.js';
import { fixed } from './framers/fixed.js';
import { gap } from './framers/gap.js';
import { hdlc } from './framers/hdlc.js';
import { iec62056 } from './framers/iec62056_21.js';
import { length } from './framers/length.js';
import { mbus } from './framers/mbus.js';
import { modbusRtu } from './framers/modbus_rtu.js';
import { slip } from './framers/slip.js';
import { sml } from './framers/sml.js';
import { varint } from './framers/varint.js';
import { Options } from './options.js';

/** Compiles one framing's options. */
type Compile = (options: Options, defaults: FramerDefaults) => FramerSpec;

const ROWS: ReadonlyMap<string, Compile> = new Map<string, Compile>([
  ['delimiter', delimiter],
  ['length', length],
  ['fixed', fixed],
  ['bracket', bracket],
  ['slip', slip],
  ['cobs', cobs],
  ['hdlc', hdlc],
  ['gap', gap],
  ['modbus_rtu', modbusRtu],
  ['mbus', mbus],
  ['sml', sml],
  ['dlms_hdlc', dlmsHdlc],
  ['dlt645', dlt645],
  ['dsmr_p1', dsmrP1],
  ['iec62056_21', iec62056],
  ['varint', varint],
  ['any', any],
]);

/** The names `framer` knows, which are those of `mix.frame.*`. */
export const FRAMER_NAMES: readonly string[] = [...ROWS.keys()];

/**
 * Compiles a framing from its name and its table of options: a plain object, an array, a Map, or what a Lua table
 * becomes. Byte strings may be Uint8Arrays or strings of which each character is one byte.
 * @throws MoonwireError `invalid_argument` naming the option and what it may be.
 */
export function framer(kind: string, options?: unknown, defaults: FramerDefaults = {}): FramerSpec {
  const compile = ROWS.get(kind);
  if (!compile) {
    throw new MoonwireError(
      'invalid_argument',
      `no framer named "${kind}": there are ${FRAMER_NAMES.join(', ')}`,
    );
  }
  const spec = compile(new Options(`mix.frame.${kind}`, options), defaults);
  return Object.assign(spec, { declaration: declarationOf(kind, options, defaults) });
}

function declarationOf(kind: string, options: unknown, defaults: FramerDefaults): string {
  return JSON.stringify([kind, options, defaults], (_key, value) => {
    if (value instanceof Map) return [...value];
    // An alternative of `any`, which tells itself what it was made of.
    return value?.declaration ?? value;
  });
}
