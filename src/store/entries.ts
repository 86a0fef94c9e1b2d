/**
 * How key-value entries are written, in records and in snapshots: operation (1: set, 2: delete), key length
 * (2 bytes, big endian), value length (4 bytes), key (UTF-8), value.
 */

const HEADER_BYTES = 7;
const SET = 1;
const DELETE = 2;

/** An entry; without a value the key is deleted. */
export type Entry = readonly [key: string, value: Uint8Array | undefined];

/** The bytes of entries, one after the other. */
export function encodeEntries(entries: Iterable<Entry>): Buffer {
  const parts: Uint8Array[] = [];
  for (const [key, value] of entries) {
    const name = Buffer.from(key, 'utf8');
    const header = Buffer.allocUnsafe(HEADER_BYTES);
    header.writeUInt8(value ? SET : DELETE, 0);
    header.writeUInt16BE(name.length, 1);
    header.writeUInt32BE(value?.length ?? 0, 3);
    parts.push(header, name);
    if (value) parts.push(value);
  }
  return Buffer.concat(parts);
}

/** The entries in `bytes`, with copies of the values; throws when the bytes are none. */
export function* decodeEntries(bytes: Buffer): Generator<Entry> {
  for (let at = 0; at < bytes.length; ) {
    if (at + HEADER_BYTES > bytes.length) throw new Error('an entry is cut short');
    const operation = bytes.readUInt8(at);
    const valueAt = at + HEADER_BYTES + bytes.readUInt16BE(at + 1);
    const end = valueAt + bytes.readUInt32BE(at + 3);
    if (end > bytes.length) throw new Error('an entry is cut short');
    if (operation !== SET && operation !== DELETE) throw new Error(`operation ${operation} is not known`);
    const key = bytes.toString('utf8', at + HEADER_BYTES, valueAt);
    yield [key, operation === SET ? Uint8Array.prototype.slice.call(bytes, valueAt, end) : undefined];
    at = end;
  }
}
