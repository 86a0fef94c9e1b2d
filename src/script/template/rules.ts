/** What the settings of a template's points mean together, and what is wrong with them. */

import {
  type BitField,
  type Point,
  REGISTERS,
  type Template,
  type WrittenPoint,
  type WrittenTemplate,
} from './schema.js';

/** Takes a problem: where (a path into the file), and what is wrong. */
export type Report = (path: readonly (string | number)[], message: string) => void;

/** Applies the defaults and checks every point, and the points against each other. */
export function completeTemplate(written: WrittenTemplate, report: Report): Template {
  const { points, defaults, ...rest } = written;
  const complete = points.map((point, i) =>
    completePoint({ ...inherited(point, defaults), ...point }, written, (setting, message) =>
      report(setting === '' ? ['points', i] : ['points', i, setting], message),
    ),
  );
  checkNames(complete, report);
  checkOverlaps(complete, report);
  checkScaleFrom(complete, report);
  return { ...rest, points: complete };
}

/** The defaults that can mean something for a point: a type and an order are nothing to a coil. */
function inherited(point: WrittenPoint, defaults: WrittenTemplate['defaults']): WrittenTemplate['defaults'] {
  const { type: _type, byteOrder: _byteOrder, wordOrder: _wordOrder, ...others } = defaults;
  return isBit(point.table ?? defaults.table) ? others : defaults;
}

function isBit(table: string | undefined): boolean {
  return table === 'coil' || table === 'discrete';
}

function completePoint(
  point: WrittenPoint,
  { groups, requests }: WrittenTemplate,
  report: (setting: keyof WrittenPoint | '', message: string) => void,
): Point {
  const { table = 'holding', access = 'read', length, bits, ...rest } = point;
  const type = isBit(table) ? 'bool' : (point.type ?? 'u16');
  const refuse = (settings: readonly (keyof WrittenPoint)[], why: string): void => {
    for (const setting of settings) if (point[setting] !== undefined) report(setting, why);
  };

  if (isBit(table)) refuse(['type', 'length', 'byteOrder', 'wordOrder'], `has no meaning in table ${table}`);
  const fixed = type === 'bool' ? 1 : REGISTERS[type];
  if (fixed === undefined && length === undefined)
    report('', `needs a length: how many registers of ${type}`);
  if (fixed !== undefined && !isBit(table)) refuse(['length'], `is for string and bcd only, not ${type}`);
  const count = fixed ?? length ?? 1;

  if (point.register + count > 0x10000) {
    report('register', `must leave room for ${count} registers below 65536`);
  }
  if (type !== 'bool' && count > requests.size)
    report('', `has more registers than requests.size (${requests.size})`);
  if (access !== 'read' && (table === 'input' || table === 'discrete')) {
    report('access', `must be read: nothing can be written into table ${table}`);
  }
  if (access !== 'read' && (type === 'string' || type === 'bcd' || bits)) {
    report('access', `must be read: writing ${bits ? 'fields of bits' : type} is not supported`);
  }
  const isNumber = type !== 'bool' && type !== 'string';
  if (!isNumber) {
    refuse(['scale', 'offset', 'scaleFrom', 'invalid', 'deadband', 'enum'], `has no meaning for ${type}`);
  } else if (bits || point.enum) {
    const what = bits ? 'bits' : 'enum';
    refuse(['scale', 'offset', 'scaleFrom', 'deadband'], `has no meaning beside ${what}`);
  }
  if (bits) {
    refuse(['enum'], 'has no meaning beside bits');
    if (type !== 'u16' && type !== 'u32') report('bits', `needs type u16 or u32, not ${type}`);
  } else if (type === 'f32' || type === 'f64') {
    refuse(['enum'], `needs a type of whole numbers, not ${type}`);
  }
  if (point.group !== undefined && !Object.hasOwn(groups, point.group)) {
    report('group', `must be one of the groups: ${Object.keys(groups).join(', ') || 'there are none'}`);
  }
  const fields = bits && bitFields(bits, 16 * count, (message) => report('bits', message));
  return { ...rest, table, access, type, count, ...(fields && { bits: fields }) };
}

function bitFields(
  bits: NonNullable<WrittenPoint['bits']>,
  width: number,
  report: (message: string) => void,
): BitField[] {
  const owners = new Map<number, string>();
  return Object.entries(bits).map(([name, at]) => {
    const [first, last] = typeof at === 'number' ? [at, at] : at;
    if (last >= width) report(`${name} is beyond bit ${width - 1}`);
    for (let bit = first; bit <= last; bit++) {
      const owner = owners.get(bit);
      if (owner !== undefined) report(`${name} and ${owner} overlap in bit ${bit}`);
      owners.set(bit, name);
    }
    return { name, first, count: last - first + 1 };
  });
}

/** Every reported value has a name of its own: a point's, or `point_field` for a field of bits. */
function checkNames(points: readonly Point[], report: Report): void {
  const seen = new Set<string>();
  points.forEach((point, i) => {
    for (const name of point.bits?.map((field) => `${point.name}_${field.name}`) ?? [point.name]) {
      if (seen.has(name)) report(['points', i, 'name'], `must be unique: there is another ${name}`);
      seen.add(name);
    }
  });
}

/** No two points share a register: a value that is several things is one point with `bits`. */
function checkOverlaps(points: readonly Point[], report: Report): void {
  const owners = new Map<string, string>();
  points.forEach((point, i) => {
    for (let at = point.register; at < point.register + point.count; at++) {
      const key = `${point.table} ${at}`;
      const owner = owners.get(key);
      if (owner !== undefined) {
        report(['points', i, 'register'], `overlaps ${owner}: both take ${point.table} register ${at}`);
        return;
      }
      owners.set(key, point.name);
    }
  });
}

function checkScaleFrom(points: readonly Point[], report: Report): void {
  const byName = new Map(points.map((point) => [point.name, point]));
  points.forEach(({ scaleFrom, name, group }, i) => {
    if (scaleFrom === undefined) return;
    const other = byName.get(scaleFrom);
    const path = ['points', i, 'scaleFrom'];
    if (!other) report(path, `must be the name of a point, and none is named ${scaleFrom}`);
    else if (other.name === name || other.type !== 's16')
      report(path, 'must name another point, of type s16');
    else if (other.group !== group) report(path, `must be in the same group as ${name}`);
  });
}
