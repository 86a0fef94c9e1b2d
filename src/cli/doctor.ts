/** `moonwire doctor`: whether this machine can run a configuration, and what to type where it cannot. */

import { boardNames } from '../boards/catalogue.js';
import type { Check, CheckState } from '../boards/check.js';
import { examine } from '../boards/examine.js';
import { Machine } from '../boards/machine.js';
import { loadConfig } from '../config/load.js';
import { listSerialPorts, locateSerialPort } from '../transports/serialports.js';
import { EXIT } from './exit.js';

/** What the command takes; `root` is the folder in which /sys, /dev, /proc and /etc are. */
export interface DoctorOptions {
  file?: string;
  json?: boolean;
  root?: string;
}

/** Prints what was found; returns the exit code, which tells whether there is a problem. */
export async function doctor({ file, json = false, root = '/' }: DoctorOptions): Promise<number> {
  const checks = await examine({
    machine: new Machine({ root }),
    config: file === undefined ? undefined : loadConfig(file, { boards: boardNames() }).config,
    ports: await listSerialPorts(root),
    locate: (port) => locateSerialPort(port, root),
  });
  const sound = checks.every(({ state }) => state !== 'problem');
  if (json) process.stdout.write(`${JSON.stringify({ ok: sound, checks }, null, 2)}\n`);
  else {
    process.stdout.write(checks.map(describe).join(''));
    if (file === undefined)
      process.stdout.write('-f FILE checks the serial ports and the disk of a configuration too\n');
  }
  return sound ? EXIT.done : EXIT.failed;
}

const WIDTH = Math.max(
  ...(['ok', 'warning', 'problem', 'unknown'] satisfies CheckState[]).map((s) => s.length),
);

function describe({ state, name, link, text, type = [] }: Check): string {
  const lines = type.map((line) => `${' '.repeat(WIDTH + 2)}$ ${line}\n`).join('');
  return `${state.padEnd(WIDTH)}  ${link === undefined ? name : `${link} ${name}`}: ${text}\n${lines}`;
}
