/** `moonwire ports`: the serial ports of this machine, under all of their names. */

import type { Board } from '../boards/board.js';
import { detectBoard } from '../boards/catalogue.js';
import { findHolders, type Holder } from '../boards/holders.js';
import { Machine } from '../boards/machine.js';
import { boardPort, portNames } from '../boards/ports.js';
import { listSerialPorts, type SerialPortInfo } from '../transports/serialports.js';

/** What the command shows of a port. */
interface Row extends SerialPortInfo {
  /** The board's names for it. */
  readonly names: readonly string[];
  readonly holders: readonly Holder[];
}

/** Lists the ports; `root` is the folder in which /sys, /dev and /proc are. */
export async function ports({ json = false, root = '/' }: { json?: boolean; root?: string }): Promise<void> {
  const machine = new Machine({ root });
  const board = detectBoard(machine);
  const found = await listSerialPorts(root);
  const holders = findHolders(
    found.map(({ path }) => path),
    machine,
  );
  const names = namesByPath(board, found, machine);
  const rows = found.map((port) => ({
    ...port,
    names: names.get(port.path) ?? [],
    holders: holders.get(port.path) ?? [],
  }));
  process.stdout.write(
    json ? `${JSON.stringify({ board: board?.name, ports: rows }, null, 2)}\n` : table(board, rows),
  );
}

/** The board's names for each port that is there. */
function namesByPath(
  board: Board | undefined,
  ports: readonly SerialPortInfo[],
  machine: Machine,
): Map<string, string[]> {
  const names = new Map<string, string[]>();
  for (const name of portNames(board)) {
    const port = boardPort(board!, name, ports, machine);
    if (!port?.present) continue;
    const path = `/dev/${machine.deviceName(port.path)}`;
    names.set(path, [...(names.get(path) ?? []), name]);
  }
  return names;
}

function table(board: Board | undefined, rows: readonly Row[]): string {
  const title = board ? `${board.title} (${board.name})` : 'unknown board';
  if (rows.length === 0) return `${title}: no serial ports\n`;
  return `${title}\n${rows.map(describe).join('')}`;
}

function describe({ path, driver, usb, names, byId, byPath, aliases, holders }: Row): string {
  const facts: string[] = [];
  if (names.length > 0) facts.push(`board name ${names.join(', ')}`);
  if (driver) facts.push(`driver ${driver}`);
  if (usb) {
    const ids = [usb.vendor, usb.product, ...(usb.serial ? [usb.serial] : [])].join(':');
    facts.push(`usb:${ids}${usb.title ? ` ${usb.title}` : ''}`);
  }
  for (const link of [...byId, ...byPath, ...aliases]) facts.push(link);
  if (holders.length > 0) {
    facts.push(
      `held by ${holders.map(({ pid, program }) => `${program ?? 'a process'} (${pid})`).join(', ')}`,
    );
  }
  return `${path}\n${facts.map((fact) => `  ${fact}\n`).join('')}`;
}
