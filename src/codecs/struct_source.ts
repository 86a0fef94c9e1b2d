/**
 * Turns a layout into JavaScript source. Names from the layout only ever appear as string literals; everything
 * else that varies is a checked number or an entry of the table of constants.
 */
import type { Bits, Field, Layout, Reference, Scalar, Size } from './struct_spec.js';

/** The source of a function body and the constants it refers to as `k[0]`, `k[1]`, …. */
export interface Source {
  readonly body: string;
  readonly constants: readonly unknown[];
}

/** A string literal; U+2028 and U+2029 end a line in older parsers. */
export function literal(text: string): string {
  return JSON.stringify(text)
    .replace(/\u2028/g, '\\u2028')
    .replace(/\u2029/g, '\\u2029');
}

/** Where a field stands, for errors: an expression that is only evaluated when one is made. */
type Path = string;

/** The checksums of a structure, which need its end: where they stand and what to do then. */
interface Checks {
  readonly places: string[];
  readonly lines: string[];
}

abstract class Generator {
  protected readonly lines: string[] = [];
  readonly constants: unknown[] = [];
  private names = 0;

  /** A new variable. */
  protected fresh(letter: string): string {
    return `${letter}${this.names++}`;
  }

  protected emit(line: string): void {
    this.lines.push(line);
  }

  protected constant(value: unknown): string {
    return `k[${this.constants.push(value) - 1}]`;
  }

  /** Emits what `generate` does, with the variables of its checks declared before it: each pass begins without. */
  protected withChecks(generate: (checks: Checks) => void): void {
    const checks: Checks = { places: [], lines: [] };
    const at = this.lines.push('') - 1;
    generate(checks);
    if (checks.places.length > 0) this.lines[at] = `let ${checks.places.join(', ')};`;
    this.lines.push(...checks.lines);
  }

  source(last: string): Source {
    return { body: [...this.lines, last].join('\n'), constants: this.constants };
  }

  protected at(path: Path, name: string): Path {
    return path === '' ? literal(name) : `${path}+${literal(`.${name}`)}`;
  }

  protected itemPath(path: Path, name: string, index: string): Path {
    return `${this.at(path, name)}+"["+(${index}+1)+"]"`;
  }
}

/** The decoder: (b, p, e, r, k) → [value, next] or an error; b bytes, p first position, e end, r runtime. */
export class DecoderSource extends Generator {
  generate(layout: Layout): Source {
    const value = this.layout(layout, '');
    return this.source(`return { value: ${value}, next: p };`);
  }

  /** Emits the decoding of a structure at `p`; returns the variable of its value. */
  private layout(layout: Layout, path: Path): string {
    const object = this.fresh('o');
    const start = this.fresh('s');
    this.emit(`const ${object} = {}, ${start} = p;`);
    this.withChecks((checks) => this.fields(layout.fields, object, path, checks, start));
    return object;
  }

  private fields(fields: readonly Field[], object: string, path: Path, checks: Checks, start: string): void {
    for (const field of fields) this.field(field, object, path, checks, start);
  }

  private field(field: Field, object: string, path: Path, checks: Checks, start: string): void {
    switch (field.kind) {
      case 'pad':
        this.need(String(field.size), path === '' ? '"pad"' : `${path}+".pad"`);
        this.emit(`p += ${field.size};`);
        break;
      case 'check':
        this.check(field, path, checks, start);
        break;
      case 'if':
        this.emit(`if (${this.read(field.test, object)}) {`);
        this.fields(field.fields, object, path, checks, start);
        this.emit('}');
        break;
      case 'integer':
      case 'float':
        this.assign(object, field.name, this.scalar(field, this.at(path, field.name)));
        break;
      case 'bcd': {
        const where = this.at(path, field.name);
        const digits = this.fresh('d');
        this.need(String(field.size), where);
        this.emit(`const ${digits} = r.bcd(b, p, ${field.size});`);
        this.emit(
          `if (${digits} === undefined) return r.fault(${where}, "has a half byte that is no decimal digit");`,
        );
        this.emit(`p += ${field.size};`);
        this.assign(object, field.name, digits);
        break;
      }
      case 'bytes':
      case 'string': {
        const where = this.at(path, field.name);
        const size = this.size(field.size, object, where);
        const trim = field.trim ? `, ${this.constant(field.trim)}` : '';
        const bytes = `r.part(b, p, p + ${size}${trim})`;
        this.need(size, where);
        this.assign(object, field.name, field.kind === 'bytes' ? bytes : `r.text(${bytes})`);
        this.emit(`p += ${size};`);
        break;
      }
      case 'array':
        this.array(field, object, path);
        break;
    }
  }

  private assign(object: string, name: string, value: string): void {
    if (name === '__proto__') this.emit(`r.define(${object}, ${literal(name)}, ${value});`);
    else this.emit(`${object}[${literal(name)}] = ${value};`);
  }

  private read({ name, bits }: Reference, object: string): string {
    const value = `r.own(${object}, ${literal(name)})`;
    return bits === undefined ? value : `r.own(${value}, ${literal(bits)})`;
  }

  private need(size: string, where: Path): void {
    this.emit(`if (p + ${size} > e) return r.missing(${where}, ${size}, e - p);`);
  }

  /** The variable or number that holds a size; emits what computes it. */
  private size(size: Size, object: string, where: Path): string {
    if ('fixed' in size) return String(size.fixed);
    const variable = this.fresh('n');
    if ('less' in size) {
      this.emit(`const ${variable} = e - p - ${size.less};`);
      this.emit(`if (${variable} < 0) return r.missing(${where}, ${size.less}, e - p);`);
    } else {
      this.emit(`const ${variable} = ${this.read(size.field, object)};`);
      const missing = `"the field that holds its size is absent or too large"`;
      this.emit(`if (typeof ${variable} !== "number") return r.fault(${where}, ${missing});`);
    }
    return variable;
  }

  private scalar(field: Scalar, where: Path): string {
    const { size } = field;
    this.need(String(size), where);
    if (field.kind === 'float') {
      this.emit(`p += ${size};`);
      const value = `r.float(b, p - ${size}, ${size}, ${field.big})`;
      return field.scale === undefined ? value : `${value} * ${field.scale}`;
    }
    const word = this.fresh('w');
    this.emit(`const ${word} = ${integer(size, field.signed, field.big)};`);
    this.emit(`p += ${size};`);
    if (field.bits) return `{ ${field.bits.map((bits) => bitEntry(bits, word)).join(', ')} }`;
    return field.scale === undefined ? word : `Number(${word}) * ${field.scale}`;
  }

  private array(field: Extract<Field, { kind: 'array' }>, object: string, path: Path): void {
    const where = this.at(path, field.name);
    const { items, count } = field;
    const list = this.fresh('a');
    const index = this.fresh('i');
    this.emit(`const ${list} = [];`);
    let more: string;
    if ('less' in count) {
      more = 'p < e';
    } else {
      const number = this.size(count, object, where);
      // Each item takes a byte at least, so a count that cannot be true fails before anything is made for it.
      this.emit(`if (${number} > e - p) return r.missing(${where}, ${number}, e - p);`);
      more = `${index} < ${number}`;
    }
    this.emit(`for (let ${index} = 0; ${more}; ${index}++) {`);
    const item = this.itemPath(path, field.name, index);
    const value = 'fields' in items ? this.layout(items, item) : this.scalar(items, item);
    this.emit(`${list}.push(${value});`);
    this.emit('}');
    this.assign(object, field.name, list);
  }

  private check(field: Extract<Field, { kind: 'check' }>, path: Path, checks: Checks, start: string): void {
    const where = this.at(path, field.check.name);
    const place = this.fresh('c');
    const wrong = this.fresh('x');
    this.need(String(field.check.size), where);
    checks.places.push(place);
    this.emit(`${place} = p;`);
    this.emit(`p += ${field.check.size};`);
    const call = `r.verify(${this.constant(field)}, ${where}, b, ${start}, p, ${place})`;
    checks.lines.push(`const ${wrong} = ${place} === undefined ? undefined : ${call};`);
    checks.lines.push(`if (${wrong}) return ${wrong};`);
  }
}

function bitEntry({ name, low, high, flag }: Bits, word: string): string {
  const mask = 2 ** (high - low + 1) - 1;
  // Computed, so that no name has a meaning of its own.
  const value = flag ? `(${word} >>> ${low} & 1) === 1` : `(${word} >>> ${low} & ${mask}) >>> 0`;
  return `[${literal(name)}]: ${value}`;
}

/** The expression of an integer at `p`. */
function integer(size: number, signed: boolean, big: boolean): string {
  const byte = (i: number) => `b[p + ${i}]`;
  /** Bytes from the least significant `from` on, `count` of them, as an unsigned number. */
  const word = (from: number, count: number) => {
    const terms: string[] = [];
    for (let i = 0; i < count; i++) {
      const at = byte(big ? size - 1 - from - i : from + i);
      terms.unshift(i === 3 ? `${at} * 16777216` : i === 0 ? at : `(${at} << ${8 * i})`);
    }
    return terms.join(' + ');
  };
  const shift = 32 - 8 * (size <= 4 ? size : size - 4);
  const top =
    signed && shift > 0
      ? (bytes: string) => `((${bytes}) << ${shift} >> ${shift})`
      : (bytes: string) => bytes;
  if (size <= 4) return signed ? `(${word(0, size)}) << ${shift} >> ${shift}` : word(0, size);
  const high = top(word(4, size - 4));
  return size < 7 ? `(${high}) * 4294967296 + ${word(0, 4)}` : `r.int64(${high}, ${word(0, 4)}, ${signed})`;
}

/** The encoder: (v, w, r, k) writes the value v to the writer w; it throws. */
export class EncoderSource extends Generator {
  generate(layout: Layout): Source {
    this.layout(layout, 'v', '');
    return this.source('');
  }

  private layout(layout: Layout, value: string, path: Path): void {
    const start = this.fresh('s');
    this.emit(`const ${start} = w.length;`);
    this.withChecks((checks) => {
      this.fields(layout.fields, sizesOf(layout.fields), value, path, checks, start);
    });
  }

  private fields(
    fields: readonly Field[],
    sized: ReadonlyMap<string, string>,
    value: string,
    path: Path,
    checks: Checks,
    start: string,
  ): void {
    for (const field of fields) {
      switch (field.kind) {
        case 'pad':
          this.emit(`w.room(${field.size}, ${path === '' ? '"pad"' : `${path}+".pad"`});`);
          break;
        case 'check': {
          const where = this.at(path, field.check.name);
          const place = this.fresh('c');
          checks.places.push(place);
          this.emit(`${place} = w.room(${field.check.size}, ${where});`);
          checks.lines.push(
            `if (${place} !== undefined) w.check(${this.constant(field)}, ${where}, ${start}, ${place});`,
          );
          break;
        }
        case 'if':
          this.emit(`if (${this.read(field.test, value)}) {`);
          this.fields(field.fields, sized, value, path, checks, start);
          this.emit('}');
          break;
        case 'array':
          this.array(field, value, path);
          break;
        default:
          this.named(field, sized, value, path);
      }
    }
  }

  private named(
    field: Exclude<Field, { kind: 'pad' | 'check' | 'if' | 'array' }>,
    sized: ReadonlyMap<string, string>,
    value: string,
    path: Path,
  ): void {
    const where = this.at(path, field.name);
    const given = `r.own(${value}, ${literal(field.name)})`;
    switch (field.kind) {
      case 'integer': {
        // A field that holds the size of another need not be given.
        const owner = sized.get(field.name);
        const derived =
          owner === undefined ? given : `(${given} ?? r.lengthOf(r.own(${value}, ${literal(owner)})))`;
        this.scalar(field, where, derived);
        break;
      }
      case 'float':
        this.scalar(field, where, given);
        break;
      case 'bcd':
        this.emit(`w.bcd(${where}, ${given}, ${field.size});`);
        break;
      default: {
        const size = this.size(field.size, value, `r.lengthOf(${given})`);
        const trim = field.trim ? this.constant(field.trim) : 'undefined';
        this.emit(`w.put(${where}, ${given}, ${size}, ${trim});`);
      }
    }
  }

  private scalar(field: Scalar, where: Path, value: string): void {
    const { size, big, scale } = field;
    if (field.kind === 'float') {
      this.emit(`w.float(${where}, ${value}, ${size}, ${big}, ${scale});`);
    } else if (field.bits) {
      this.emit(`w.bits(${where}, ${value}, ${size}, ${big}, ${this.constant(field.bits)});`);
    } else {
      this.emit(`w.integer(${where}, ${value}, ${size}, ${field.signed}, ${big}, ${scale});`);
    }
  }

  private array(field: Extract<Field, { kind: 'array' }>, value: string, path: Path): void {
    const list = this.fresh('a');
    const index = this.fresh('i');
    const given = `r.own(${value}, ${literal(field.name)})`;
    const count = this.size(field.count, value, `r.lengthOf(${given})`);
    this.emit(`const ${list} = w.items(${this.at(path, field.name)}, ${given}, ${count});`);
    this.emit(`for (let ${index} = 0; ${index} < ${list}.length; ${index}++) {`);
    const item = this.itemPath(path, field.name, index);
    if ('fields' in field.items) this.layout(field.items, `${list}[${index}]`, item);
    else this.scalar(field.items, item, `${list}[${index}]`);
    this.emit('}');
  }

  private read({ name, bits }: Reference, object: string): string {
    const value = `r.own(${object}, ${literal(name)})`;
    return bits === undefined ? value : `r.own(${value}, ${literal(bits)})`;
  }

  /** The expression of a size; where another field holds it and is not given, that field was written as `own`. */
  private size(size: Size, value: string, own: string): string {
    if ('fixed' in size) return String(size.fixed);
    if ('less' in size) return 'undefined';
    return `(${this.read(size.field, value)} ?? ${size.field.bits === undefined ? own : 0})`;
  }
}

/** Which field each size-holding field belongs to. */
function sizesOf(fields: readonly Field[], sizes = new Map<string, string>()): Map<string, string> {
  for (const field of fields) {
    if (field.kind === 'if') sizesOf(field.fields, sizes);
    const size =
      field.kind === 'array'
        ? field.count
        : field.kind === 'bytes' || field.kind === 'string'
          ? field.size
          : undefined;
    if (size && 'field' in size && size.field.bits === undefined) {
      sizes.set(size.field.name, (field as { name: string }).name);
    }
  }
  return sizes;
}
