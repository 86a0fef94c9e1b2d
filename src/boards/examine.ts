/** Examines this machine against its board and a configuration: what the doctor prints, and health shows. */

import { resolve } from 'node:path';
import type { Config } from '../config/schema.js';
import { messageOf } from '../errors.js';
import type { Board } from './board.js';
import { detectBoard, loadBoard } from './catalogue.js';
import { type Check, type Finding, toCheck } from './check.js';
import type { Machine } from './machine.js';
import { checkPort } from './port-checks.js';
import type { KnownPort } from './ports.js';
import {
  checkClock,
  checkDisk,
  checkMemory,
  checkProfile,
  checkWatchdog,
  type RunProgram,
  runProgram,
} from './system-checks.js';

/** Where to look; the ports and how USB ids are found come from the transports. */
export interface Examination {
  readonly machine: Machine;
  /** Without one, only the board and the system are looked at. */
  readonly config?: Config | undefined;
  /** The serial ports that are there. */
  readonly ports: readonly KnownPort[];
  /** The path of a port given by USB ids; rejects when it is not there. */
  readonly locate: (port: string) => Promise<string>;
  readonly run?: RunProgram;
  /** Bytes the heap may have; default: as the service's unit says, else as of this process. */
  readonly heapLimit?: number;
}

/** Everything that was found, in the order of the configuration. Never rejects. */
export async function examine(subject: Examination): Promise<Check[]> {
  const { machine, config, run = runProgram } = subject;
  const checks: Check[] = [];
  const here = detectBoard(machine);
  let board = here;
  try {
    if (config && config.board !== 'auto') board = loadBoard(config.board);
    checks.push(toCheck('board', checkBoard(board, here, machine)));
  } catch (error) {
    checks.push(toCheck('board', ['problem', messageOf(error)]));
  }
  for (const link of config?.engine.links ?? []) {
    if (link.kind === 'serial') checks.push(...(await checkPort(link, { ...subject, board })));
  }
  checks.push(await checkClock(machine, run), checkMemory(machine));
  if (config) checks.push(checkDisk(machine, resolve(config.store.path), config.store.maxBytes));
  checks.push(checkWatchdog(machine, board), checkProfile(machine, board, subject.heapLimit));
  return checks;
}

function checkBoard(board: Board | undefined, here: Board | undefined, machine: Machine): Finding {
  const [model] = machine.strings('/proc/device-tree/model');
  if (!board) return ['unknown', `no board is known for ${machine.arch}`];
  if (board.name === here?.name || model === undefined) {
    return ['ok', `${board.title} (${board.name})${model ? `: ${model}` : ''}`];
  }
  const text = `the configuration says ${board.name}, but this machine is a ${model} (${here?.name ?? 'unknown'})`;
  return ['warning', text];
}
