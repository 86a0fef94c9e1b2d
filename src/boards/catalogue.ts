/** Which boards there are, and which one this machine is. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MoonwireError } from '../errors.js';
import { BOARDS_FOLDER } from '../package.js';
import { type Board, parseBoard } from './board.js';
import type { Machine } from './machine.js';

/** The names a configuration's `board` may have beside `auto`, in alphabetical order. */
export function boardNames(folder = BOARDS_FOLDER): string[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => file.slice(0, -'.yaml'.length))
    .sort();
}

/** Reads a board; throws MoonwireError `not_found` with the names there are, `invalid_argument` for a bad file. */
export function loadBoard(name: string, folder = BOARDS_FOLDER): Board {
  const names = boardNames(folder);
  if (!names.includes(name)) {
    throw new MoonwireError('not_found', `there is no board ${name}; known: ${names.join(', ')}`, 'board');
  }
  return parseBoard(name, readFileSync(join(folder, `${name}.yaml`), 'utf8'));
}

/**
 * The board this machine is: by the `compatible` names of its device tree, the most specific of which come first;
 * else by its `model`; else by its architecture. Undefined on an architecture no board has.
 */
export function detectBoard(machine: Machine, folder = BOARDS_FOLDER): Board | undefined {
  const boards = boardNames(folder).map((name) => loadBoard(name, folder));
  for (const name of machine.strings('/proc/device-tree/compatible')) {
    const board = boards.find(({ compatible }) => compatible.includes(name));
    if (board) return board;
  }
  const [model] = machine.strings('/proc/device-tree/model');
  const byModel = boards.find((board) => board.model.some((pattern) => model && matches(model, pattern)));
  if (byModel) return byModel;
  return boards.find(
    ({ compatible, model, arch }) =>
      compatible.length + model.length === 0 && arch.some((is) => is === machine.arch),
  );
}

/** The board a configuration names; for `auto` the one this machine is. */
export function findBoard(name: string, machine: Machine, folder = BOARDS_FOLDER): Board | undefined {
  return name === 'auto' ? detectBoard(machine, folder) : loadBoard(name, folder);
}

function matches(model: string, pattern: string): boolean {
  const [first, ...rest] = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${[first, ...rest].join('.*')}$`).test(model);
}
