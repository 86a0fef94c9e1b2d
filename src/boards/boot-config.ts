/** The file that tells a board's firmware or boot loader what to enable. */

import { basename } from 'node:path';
import type { Board } from './board.js';
import type { Machine } from './machine.js';

/** What there is to do about lines that enable something. */
export interface BootLines {
  /** The file they go into; undefined when this machine has none of the board's files. */
  readonly file: string | undefined;
  /** Those that are not in it. */
  readonly missing: readonly string[];
  /** What to type to add them. */
  readonly type: readonly string[];
}

/** Looks which of `lines` the board's file lacks. A file that cannot be read lacks all. */
export function bootLines(board: Board, lines: readonly string[], machine: Machine): BootLines {
  const files = board.config?.files ?? [];
  const file = files.find((path) => machine.exists(path));
  const settings = (machine.text(file ?? '') ?? '')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  const missing = lines.filter((line) => !settings.some((setting) => includes(setting, line)));
  const target = file ?? files[0];
  const type = missing.map((line) => {
    const [key, word] = split(line);
    const taken = board.config?.merge && settings.some((setting) => split(setting)[0] === key);
    return taken
      ? `sudo sed -i 's/^${key}=.*/& ${word}/' ${target}`
      : `echo '${line}' | sudo tee -a ${target}`;
  });
  return { file, missing, type: missing.length > 0 ? [...type, 'sudo reboot'] : [] };
}

/**
 * Whether a line of the file has what `wanted` asks for, perhaps among other words: `dtoverlay=uart3,ctsrts` has
 * `dtoverlay=uart3`. Overlays of U-Boot may have any number and a path.
 */
function includes(setting: string, wanted: string): boolean {
  const [key, words] = split(setting);
  const [wantedKey, wantedWords] = split(wanted);
  if (key.replace(/\d+$/, '') !== wantedKey.replace(/\d+$/, '')) return false;
  const there = words.split(/[\s,]+/).map((word) => basename(word));
  return wantedWords.split(',').every((word) => there.includes(word));
}

function split(line: string): [string, string] {
  const at = line.indexOf('=');
  return at === -1 ? [line, ''] : [line.slice(0, at).trim(), line.slice(at + 1).trim()];
}
