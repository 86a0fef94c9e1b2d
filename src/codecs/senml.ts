/** SenML packs (RFC 8428) in JSON and CBOR. */
import { Options } from '../bytes/options.js';
import { MoonwireError } from '../errors.js';
import type { Codec } from './codec.js';
import { json } from './json.js';
import { resolvePack, type SenmlRecord } from './senml_resolve.js';

/** Labels with their CBOR numbers (RFC 8428, table 4; `ut` and those after it in the IANA registry). */
const LABELS: ReadonlyMap<string, number> = new Map([
  ['bver', -1],
  ['bn', -2],
  ['bt', -3],
  ['bu', -4],
  ['bv', -5],
  ['bs', -6],
  ['n', 0],
  ['u', 1],
  ['v', 2],
  ['vs', 3],
  ['vb', 4],
  ['s', 5],
  ['t', 6],
  ['ut', 7],
  ['vd', 8],
]);
const NAMES: ReadonlyMap<number, string> = new Map([...LABELS].map(([name, number]) => [number, name]));

/** Of what type a label's value is; those not named here are numbers. */
const TEXTS = new Set(['bn', 'bu', 'n', 'u', 'vs']);
/** Records in one pack. */
const MAX_RECORDS = 10_000;

/**
 * A pack is a list of records with the labels of RFC 8428 (`bn bt bu bv bs bver n u v vs vb vd s t ut`); `vd` is
 * bytes in both forms. Options: `format` ("json" or "cbor"; when reading, what the first byte says), and for reading
 * `resolved = true`, which applies base values and relative times (4.6), with `now` in Unix seconds
 * (the clock's by default). Unknown labels are passed on, except those that end with "_", which must be understood.
 */
export function senmlCodec(cbor: Codec): Codec {
  return {
    name: 'senml',

    encode(value, options) {
      const given = new Options('senml', options);
      const inCbor = given.oneOf('format', ['json', 'cbor'], 'json') === 'cbor';
      given.done();
      const pack = packOf(value, 'invalid_argument');
      if (inCbor) {
        return cbor.encode(
          pack.map((record) => new Map(Object.entries(record).map(([k, v]) => [LABELS.get(k) ?? k, v]))),
        );
      }
      return json.encode(
        pack.map((record) => ('vd' in record ? { ...record, vd: base64url(record.vd) } : record)),
      );
    },

    decode(bytes, options) {
      const given = new Options('senml', options);
      // A JSON array begins with a bracket or white space, a CBOR one (major type 4, or a tag) above 7f.
      const inCbor =
        given.oneOf('format', ['json', 'cbor'], (bytes[0] ?? 0) >= 0x80 ? 'cbor' : 'json') === 'cbor';
      const resolved = given.boolean('resolved', false);
      const now = given.raw('now') ?? Date.now() / 1000;
      given.done();
      const pack = packOf((inCbor ? cbor : json).decode(bytes), 'decode_error');
      return resolved ? resolvePack(pack, Number(now)) : pack;
    },
  };
}

/** The records of a pack with text labels, each value of its label's type. */
function packOf(value: unknown, code: 'decode_error' | 'invalid_argument'): SenmlRecord[] {
  const bad = (problem: string) => new MoonwireError(code, `SenML: ${problem}`);
  if (!Array.isArray(value)) throw bad('a pack is a list of records');
  if (value.length > MAX_RECORDS) throw bad(`more than ${MAX_RECORDS} records`);
  return value.map((item, i) => {
    if (typeof item !== 'object' || item === null || item instanceof Uint8Array || Array.isArray(item))
      throw bad(`record ${i + 1} is no map`);
    const entries: [unknown, unknown][] = item instanceof Map ? [...item] : Object.entries(item);
    const record = entries.map(([key, content]): [string, unknown] => {
      const label = typeof key === 'number' ? (NAMES.get(key) ?? String(key)) : String(key);
      if (label.endsWith('_')) throw bad(`record ${i + 1} has the label ${label}, which must be understood`);
      const checked = contentOf(label, content);
      if (checked === undefined) throw bad(`record ${i + 1}: ${label} has a value of a wrong type`);
      return [label, checked];
    });
    return Object.fromEntries(record) as SenmlRecord;
  });
}

/** A label's value; undefined when it is of a wrong type. */
function contentOf(label: string, value: unknown): unknown {
  if (!LABELS.has(label)) return value ?? null;
  if (TEXTS.has(label)) return typeof value === 'string' ? value : undefined;
  if (label === 'vb') return typeof value === 'boolean' ? value : undefined;
  if (label !== 'vd') return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
  if (value instanceof Uint8Array) return value;
  return typeof value === 'string' && /^[A-Za-z0-9_-]*={0,2}$/.test(value)
    ? new Uint8Array(Buffer.from(value, 'base64url'))
    : undefined;
}

function base64url(bytes: unknown): string {
  return Buffer.from(bytes as Uint8Array).toString('base64url');
}
