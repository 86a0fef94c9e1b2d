/** Bytes as people read them: 16 a line, with their offset and the characters they stand for. */

const WIDTH = 16;
/** Bytes shown of one dump. */
const MAX_BYTES = 4096;

/** The lines of a dump, each indented; what is beyond 4096 bytes is only counted. */
export function hexDump(bytes: Uint8Array, indent = '  '): string {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length && at < MAX_BYTES; at += WIDTH) {
    const row = bytes.subarray(at, at + WIDTH);
    const digits = Array.from(row, (byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const text = Array.from(row, (byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.'));
    lines.push(
      `${indent}${at.toString(16).padStart(4, '0')}  ${digits.padEnd(3 * WIDTH - 1)}  ${text.join('')}`,
    );
  }
  if (bytes.length > MAX_BYTES) lines.push(`${indent}… ${bytes.length - MAX_BYTES} more bytes`);
  return lines.join('\n');
}
