/**
 * Tells of saved Lua files, and of what scripts load. They are looked at again and again: the system's notices are not told where an editor
 * saves by putting a new file in the place of the old one, or on shared folders.
 */

import { type Dirent, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

/** What scripts load: themselves, device templates, Protobuf schemas. */
const LOADED = /\.(lua|yaml|proto)$/;
/** Milliseconds between two looks. What one look finds is told when the next finds no more, as saving takes steps. */
const LOOK_MS = 200;

/** Each file with what changes when it is saved. */
type Snapshot = ReadonlyMap<string, string>;

/**
 * Calls `changed` with the paths of such files under `roots`, and of `files`, that were saved, added or removed, one call
 * after the other. Returns how to stop, which waits for a call under way.
 */
export function watchScripts(
  roots: readonly string[],
  files: readonly string[],
  changed: (files: string[]) => Promise<void>,
): () => Promise<void> {
  const stop = new AbortController();
  const watching = watch(() => snapshot(roots, files), changed, stop.signal);
  return () => {
    stop.abort();
    return watching;
  };
}

async function watch(
  look: () => Snapshot,
  changed: (files: string[]) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  let before = look();
  const saved = new Set<string>();
  for (;;) {
    await pause(LOOK_MS, undefined, { signal }).catch(() => {});
    if (signal.aborted) return;
    const now = look();
    const differences = difference(before, now);
    before = now;
    for (const file of differences) saved.add(file);
    if (saved.size === 0 || differences.length > 0) continue;
    const files = [...saved];
    saved.clear();
    await changed(files);
  }
}

function difference(before: Snapshot, now: Snapshot): string[] {
  const files = new Set([...before.keys(), ...now.keys()]);
  return [...files].filter((file) => before.get(file) !== now.get(file));
}

function snapshot(roots: readonly string[], files: readonly string[]): Snapshot {
  const found = new Map<string, string>();
  for (const root of roots) addFolder(root, found);
  for (const file of files) addFile(file, found);
  return found;
}

function addFolder(folder: string, files: Map<string, string>): void {
  for (const entry of entriesOf(folder)) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      if (entry.name !== 'node_modules' && !entry.name.startsWith('.')) addFolder(path, files);
    } else if (LOADED.test(entry.name)) addFile(path, files);
  }
}

function addFile(path: string, files: Map<string, string>): void {
  const { mtimeMs, size, ino } = statSync(path, { throwIfNoEntry: false }) ?? {};
  files.set(path, `${mtimeMs} ${size} ${ino}`);
}

/** What a folder holds; nothing for one that went away or may not be read. */
function entriesOf(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}
