/**
 * A snapshot: small state as a whole, and the position of the journal up to which it holds everything. The one
 * before is kept too, and the journal from there on, so that a damaged snapshot loses nothing.
 */

import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { messageOf } from '../errors.js';
import type { Logger } from '../log.js';
import { type FileSystem, readBounded, replaceFile } from './files.js';
import { setAside } from './set-aside.js';

/** Bytes before the state: magic (8), version (4), position (8), length (4), CRC-32 of these and the state (4). */
const HEADER_BYTES = 28;
/** Longest state. */
const MAX_STATE_BYTES = 64 * 2 ** 20;
const MAGIC = Buffer.from('MOONSNAP', 'latin1');
const VERSION = 1;
const NAME = /^snapshot-[0-9a-f]{14}$/;
const KEPT = 2;

/** A state and the position up to which it is complete. */
export interface Snapshot {
  readonly position: number;
  readonly state: Buffer;
}

function snapshotName(position: number): string {
  return `snapshot-${position.toString(16).padStart(14, '0')}`;
}

/** Names of the snapshots in `folder`, the newest first. */
async function listSnapshots(fs: FileSystem, folder: string): Promise<string[]> {
  const names = await fs.readdir(folder);
  return names
    .filter((name) => NAME.test(name))
    .sort()
    .reverse();
}

/**
 * Reads the newest sound snapshot whose state `load` takes (it throws when it cannot); unsound ones are set aside
 * and removed. Returns its position, or 0 when there is none, and the number of unsound ones.
 */
export async function readSnapshot(
  fs: FileSystem,
  folder: string,
  load: (state: Buffer) => void,
  log: Logger,
): Promise<{ position: number; damaged: number }> {
  let damaged = 0;
  for (const name of await listSnapshots(fs, folder)) {
    let bytes: Buffer = Buffer.alloc(0);
    try {
      bytes = await readBounded(fs, join(folder, name), HEADER_BYTES + MAX_STATE_BYTES);
      const snapshot = decodeSnapshot(bytes);
      load(snapshot.state);
      return { position: snapshot.position, damaged };
    } catch (error) {
      log.error('a snapshot cannot be read; going back to the one before', {
        file: join(folder, name),
        reason: messageOf(error),
      });
      damaged++;
      await setAside(fs, folder, name, bytes, log);
      await fs.unlink(join(folder, name)).catch(() => {});
    }
  }
  return { position: 0, damaged };
}

function decodeSnapshot(bytes: Buffer): Snapshot {
  if (bytes.length < HEADER_BYTES || !bytes.subarray(0, 8).equals(MAGIC)) throw new Error('not a snapshot');
  if (bytes.readUInt32BE(8) !== VERSION) throw new Error(`version ${bytes.readUInt32BE(8)} is not known`);
  const position = Number(bytes.readBigUInt64BE(12));
  const state = bytes.subarray(HEADER_BYTES);
  if (bytes.readUInt32BE(20) !== state.length) throw new Error('incomplete');
  if (crc32(bytes.subarray(0, 24), crc32(state)) !== bytes.readUInt32BE(24)) throw new Error('CRC differs');
  return { position, state };
}

/**
 * Writes a snapshot and removes all but it and the one before. Returns the position of the older one kept: the
 * journal may be released up to there. Fails with the file system's error; then nothing has changed.
 */
export async function writeSnapshot(fs: FileSystem, folder: string, snapshot: Snapshot): Promise<number> {
  const header = Buffer.alloc(HEADER_BYTES);
  MAGIC.copy(header);
  header.writeUInt32BE(VERSION, 8);
  header.writeBigUInt64BE(BigInt(snapshot.position), 12);
  header.writeUInt32BE(snapshot.state.length, 20);
  header.writeUInt32BE(crc32(header.subarray(0, 24), crc32(snapshot.state)), 24);
  await replaceFile(fs, join(folder, snapshotName(snapshot.position)), [header, snapshot.state]);
  const names = await listSnapshots(fs, folder);
  for (const name of names.slice(KEPT)) await fs.unlink(join(folder, name)).catch(() => {});
  const older = names[KEPT - 1];
  return older === undefined ? 0 : Number.parseInt(older.slice('snapshot-'.length), 16);
}
