/** Reads a structure field by field with DataView and no cleverness: the twin of the compiled decoder. */
export type SlowField =
  | { type: string; name: string; little?: boolean; scale?: number }
  | { type: 'bytes'; name: string; size: number | string }
  | { type: 'array'; name: string; count: string; of: SlowField[] }
  | { type: 'if'; test: string; bit: number; fields: SlowField[] };

export function slowDecode(
  fields: SlowField[],
  bytes: Uint8Array,
): { value: Record<string, unknown>; next: number } | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 0;
  const number = (type: string, little: boolean): number | string => {
    const size = Number(type.slice(1)) / 8;
    const start = at;
    at += size;
    if (at > bytes.length) throw new RangeError();
    if (type[0] === 'f') return size === 4 ? view.getFloat32(start, little) : view.getFloat64(start, little);
    let value = 0n;
    for (let i = 0; i < size; i++) value = value * 256n + BigInt(bytes[start + (little ? size - 1 - i : i)]!);
    if (type[0] === 'i') value = BigInt.asIntN(size * 8, value);
    return value > 2n ** 53n || value < -(2n ** 53n) ? String(value) : Number(value);
  };
  const read = (list: SlowField[], into: Record<string, unknown>) => {
    for (const field of list) {
      if ('of' in field) {
        const items: unknown[] = [];
        for (let i = 0; i < (into[field.count] as number); i++) items.push(read(field.of, {}));
        into[field.name] = items;
      } else if ('test' in field) {
        if ((into[field.test] as Record<string, boolean>).on) read(field.fields, into);
      } else if ('size' in field) {
        const size = typeof field.size === 'number' ? field.size : (into[field.size] as number);
        if (at + size > bytes.length) throw new RangeError();
        into[field.name] = bytes.subarray(at, at + size);
        at += size;
      } else if (field.type === 'flags') {
        const word = number('u8', false) as number;
        into[field.name] = { on: (word & 1) === 1, level: (word >> 1) & 7 };
      } else {
        const { little = false, scale } = field as { little?: boolean; scale?: number };
        const value = number(field.type, little);
        into[field.name] = scale === undefined ? value : Number(value) * scale;
      }
    }
    return into;
  };
  try {
    return { value: read(fields, {}), next: at };
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
