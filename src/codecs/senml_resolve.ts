/** Resolved SenML records (RFC 8428, 4.6): each stands for itself. */
import { MoonwireError } from '../errors.js';

/** A record with text labels. */
export interface SenmlRecord {
  bn?: string;
  bt?: number;
  bu?: string;
  bv?: number;
  bs?: number;
  bver?: number;
  n?: string;
  u?: string;
  v?: number;
  vs?: string;
  vb?: boolean;
  vd?: Uint8Array;
  s?: number;
  t?: number;
  ut?: number;
}

/** Times below this are relative to now (4.5.3). */
const RELATIVE = 2 ** 28;

/**
 * The records with names and times of their own, in the order of the pack. Records that hold nothing but base values are
 * left out, and so is `bver`: what follows is no pack any more. A base value holds until another takes its place.
 * @throws MoonwireError `decode_error` for a record without a name, and one with two values.
 */
export function resolvePack(pack: readonly SenmlRecord[], now: number): SenmlRecord[] {
  let base: SenmlRecord = {};
  const resolved: SenmlRecord[] = [];
  pack.forEach((record, i) => {
    const { bn, bt, bu, bv, bs, bver, n = '', t = 0, ...own } = record;
    base = { ...base, ...defined({ bn, bt, bu, bv, bs, bver }) };
    const values = [own.v, own.vs, own.vb, own.vd].filter((value) => value !== undefined);
    if (values.length > 1) throw bad(`record ${i + 1} has ${values.length} values`);
    const measured = values.length === 1 || own.s !== undefined;
    if (!measured && n === '' && record.t === undefined && own.u === undefined) return;
    const name = (base.bn ?? '') + n;
    if (!/^[A-Za-z0-9][A-Za-z0-9\-:./_]*$/.test(name)) throw bad(`record ${i + 1} has no valid name`);
    const time = (base.bt ?? 0) + t;
    const number = own.v !== undefined || (values.length === 0 && base.bv !== undefined);
    const sum = own.s !== undefined || base.bs !== undefined;
    resolved.push({
      ...own,
      ...defined({ u: own.u ?? base.bu }),
      ...(number && { v: (base.bv ?? 0) + (own.v ?? 0) }),
      ...(sum && { s: (base.bs ?? 0) + (own.s ?? 0) }),
      n: name,
      t: time < RELATIVE ? now + time : time,
    });
  });
  return resolved;
}

function defined(record: { [Label in keyof SenmlRecord]: SenmlRecord[Label] | undefined }): SenmlRecord {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined));
}

function bad(problem: string): MoonwireError {
  return new MoonwireError('decode_error', `SenML: ${problem}`);
}
