/** The names a board gives its serial ports, and the device paths they mean on this machine. */

import type { Config, LinkConfig } from '../config/schema.js';
import type { Logger } from '../log.js';
import type { Board, Uart } from './board.js';
import { findBoard } from './catalogue.js';
import type { Machine } from './machine.js';

/** A serial port that is there, as far as it matters here; `listSerialPorts` of the transports yields these. */
export interface KnownPort {
  /** Its device path. */
  readonly path: string;
  /** Name of its node in the device tree. */
  readonly node: string | undefined;
}

/** Where a port of a board is. */
export interface BoardPort {
  readonly uart: Uart;
  /** Device path, also when it is not there. */
  readonly path: string;
  /** Whether it is there. */
  readonly present: boolean;
}

/** Whether a configured port is a board's name for one, rather than a path or USB ids. */
export function isPortName(port: string): boolean {
  return !port.includes('/') && !port.startsWith('usb:');
}

/** All names of a board's ports. */
export function portNames(board: Board | undefined): string[] {
  return board ? [...Object.keys(board.serial), ...Object.keys(board.rs485)] : [];
}

/** The port a name means on this machine; undefined when the board has no such name. */
export function boardPort(
  board: Board,
  name: string,
  ports: readonly KnownPort[],
  machine: Machine,
): BoardPort | undefined {
  const uartName = Object.hasOwn(board.rs485, name) ? board.rs485[name]!.uart : name;
  if (!Object.hasOwn(board.serial, uartName)) return undefined;
  const uart = board.serial[uartName]!;
  const found = ports.find(({ node }) => node !== undefined && node === uart.node);
  if (found) return { uart, path: found.path, present: true };
  // Numbers follow the order in which UARTs are enabled: a path whose node is another one's is not this port.
  const own = uart.paths.filter((path) => {
    const node = ports.find((port) => port.path === path)?.node;
    return uart.node === undefined || node === undefined;
  });
  const there = own.find((path) => machine.exists(path));
  return { uart, path: there ?? own[0] ?? `/dev/${uartName}`, present: there !== undefined };
}

/** A configuration whose serial ports are device paths or USB ids, and what keeps it from being used. */
export interface ResolvedPorts {
  readonly config: Config;
  /** One sentence for each name that means nothing. */
  readonly problems: readonly string[];
}

/**
 * Puts device paths in the place of a board's names for ports. A port that is known but not there keeps its link
 * waiting for it, with a warning; a name the board does not have is a problem. The board is looked for only when a
 * link needs it. Throws MoonwireError `not_found` for a board that does not exist.
 */
export function resolvePorts(
  config: Config,
  ports: readonly KnownPort[],
  machine: Machine,
  log: Logger,
): ResolvedPorts {
  const problems: string[] = [];
  if (!config.engine.links.some(needsBoard)) return { config, problems };
  const board = findBoard(config.board, machine);
  const links = config.engine.links.map((link): LinkConfig => {
    if (link.kind !== 'serial' || !needsBoard(link)) return link;
    const { port } = link.serial;
    const found = board && boardPort(board, port, ports, machine);
    if (!found) {
      problems.push(unknownPort(link.name, port, board));
      return link;
    }
    const at = `link ${link.name}: ${port} of the ${board.title}`;
    if (found.present) log.info(`${at} is ${found.path}`);
    else log.warn(`${at} is not there; "moonwire doctor" tells how to enable it`);
    return { ...link, serial: { ...link.serial, port: found.path } };
  });
  return { config: { ...config, engine: { ...config.engine, links } }, problems };
}

function needsBoard(link: LinkConfig): boolean {
  return link.kind === 'serial' && isPortName(link.serial.port);
}

/** Tells that a board has no port of a name, and which names it has. */
export function unknownPort(link: string, port: string, board: Board | undefined): string {
  const names = portNames(board);
  const known = names.length > 0 ? `it has ${names.join(', ')}` : 'it names none';
  const which = board
    ? `the ${board.title} has no port ${port} (${known})`
    : `no board is known that has ${port}`;
  return `link ${link}: ${which}; a device is written as a path such as /dev/${port}`;
}
