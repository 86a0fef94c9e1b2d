/** Whether the serial port of a link can be used, and what to type when not. */

import type { LinkConfig } from '../config/schema.js';
import { messageOf } from '../errors.js';
import type { Board, Uart } from './board.js';
import { bootLines } from './boot-config.js';
import { type Check, type Finding, toCheck } from './check.js';
import { findHolders } from './holders.js';
import type { Machine } from './machine.js';
import { boardPort, isPortName, type KnownPort, unknownPort } from './ports.js';

type SerialLink = Extract<LinkConfig, { kind: 'serial' }>;

/** What the checks of ports look at. */
export interface PortScene {
  readonly machine: Machine;
  readonly board: Board | undefined;
  /** The ports that are there. */
  readonly ports: readonly KnownPort[];
  /** The path of a port given by USB ids; rejects when it is not there. */
  readonly locate: (port: string) => Promise<string>;
}

/** All checks of one link's port; one that is not there is the only finding. */
export async function checkPort(link: SerialLink, scene: PortScene): Promise<Check[]> {
  const { machine, board, ports } = scene;
  const { port } = link.serial;
  const place = await findPort(link, scene);
  if (place.path === undefined) return [toCheck('port', place.missing, link.name)];
  const { path, uart } = place;
  const tty = machine.deviceName(path);
  const node = ports.find((known) => known.path === `/dev/${tty}`)?.node;
  const findings: [string, Finding | undefined][] = [
    ['port', ['ok', `${path === port ? path : `${port} (${path})`} is there`]],
    ['enabled', board && uart && checkWiring(uart, board, node, machine)],
    ['parity', uart && checkParity(uart, link)],
    ['permission', checkPermission(path, machine)],
    ['held', checkHolders(`/dev/${tty}`, machine)],
    ['console', checkConsole(tty, board, machine)],
    ['rs485', checkDirection(port, board, tty, machine)],
  ];
  return findings.flatMap(([name, finding]) => (finding ? [toCheck(name, finding, link.name)] : []));
}

/** The path of the port, with its UART where the board knows it; else why there is none. */
async function findPort(
  link: SerialLink,
  { machine, board, ports, locate }: PortScene,
): Promise<{ path: string; uart?: Uart } | { path: undefined; missing: Finding }> {
  const { port } = link.serial;
  const missing = (...finding: Finding) => ({ path: undefined, missing: finding });
  if (isPortName(port)) {
    const known = board && boardPort(board, port, ports, machine);
    if (!known) return missing('problem', unknownPort(link.name, port, board));
    return known.present ? known : missing(...notEnabled(port, known.uart, board, machine));
  }
  let path: string;
  try {
    path = await locate(port);
  } catch (error) {
    return missing('problem', `${messageOf(error)}; "moonwire ports" lists what is there`);
  }
  if (machine.exists(path)) return { path };
  const there = ports.map((known) => known.path).join(', ') || 'none';
  return missing('problem', `${path} is not there; serial ports that are: ${there}`);
}

function notEnabled(port: string, uart: Uart, board: Board, machine: Machine): Finding {
  const what = `${port} of the ${board.title} (${uart.pins}) is not there`;
  const { file, missing, type } = bootLines(board, uart.enable, machine);
  if (uart.enable.length === 0) return ['problem', what];
  if (missing.length > 0) {
    return ['problem', `${what}: ${missing.join(' and ')} is not in ${file ?? 'its boot file'}`, type];
  }
  const text = `${what}, although ${file} enables it: it takes effect at the next start`;
  return ['problem', text, ['sudo reboot']];
}

/** On some boards one UART of two has the pins; an alias of the device tree tells which. */
function checkWiring(
  uart: Uart,
  board: Board,
  node: string | undefined,
  machine: Machine,
): Finding | undefined {
  const [alias] = uart.wired === undefined ? [] : machine.strings(`/proc/device-tree/aliases/${uart.wired}`);
  if (alias === undefined || node === undefined || alias.split('/').at(-1) === node) return undefined;
  const { missing, type } = bootLines(board, uart.enable, machine);
  const others = uart.conflicts.join(', ');
  const mend = missing.length > 0 ? `${missing.join(' and ')} is missing` : 'another line gives them to it';
  const text = `the UART is not wired to its pins (${uart.pins}), which are shared with ${others}: ${mend}`;
  return ['problem', text, type];
}

function checkParity(uart: Uart, { serial }: SerialLink): Finding | undefined {
  if (uart.parity || serial.parity === 'none') return undefined;
  return [
    'problem',
    `the UART has no parity bit, and the link wants ${serial.parity} parity: use another one`,
  ];
}

function checkHolders(path: string, machine: Machine): Finding | undefined {
  const others = findHolders([path], machine)
    .get(path)!
    .filter(({ pid }) => pid !== process.pid);
  if (others.length === 0) return undefined;
  const who = others.map(({ pid, program }) => `${program ?? 'a process'} (${pid})`).join(', ');
  return ['warning', `held by ${who}; unless that is the gateway, the port is taken from it`];
}

function checkPermission(path: string, machine: Machine): Finding {
  const { mode, uid, gid } = machine.stat(path)!;
  const group = machine.groupName(gid);
  const rights = `${path} belongs to group ${group}`;
  if (machine.uid === 0) return ['ok', `${rights}; root may open it, the service needs that group`];
  const bits = machine.uid === uid ? mode >> 6 : machine.groups.includes(gid) ? mode >> 3 : mode;
  if ((bits & 0o6) === 0o6) return ['ok', `this user may read and write ${path}`];
  if ((mode & 0o060) !== 0o060) {
    return ['problem', `${rights}, which may not read and write it`, [`sudo chmod g+rw ${path}`]];
  }
  const text = `${rights}, which this user is not in; a new group counts from the next login on`;
  return ['problem', text, [`sudo usermod -aG ${group} $USER`]];
}

const UNIT_FOLDERS = ['/etc/systemd/system', '/run/systemd/generator', '/run/systemd/generator.late'];

/** A console or login on the port would answer the devices. */
function checkConsole(tty: string, board: Board | undefined, machine: Machine): Finding | undefined {
  const consoles = (machine.text('/proc/cmdline') ?? '').matchAll(/(?<!\S)console=([^\s,]+)/g);
  const units = UNIT_FOLDERS.flatMap((folder) => machine.names(`${folder}/getty.target.wants`)).join('\n');
  // Both may name an alias such as serial0, which is a link in /dev.
  const includes = (names: Iterable<RegExpMatchArray>): boolean =>
    [...names].some(([, name]) => machine.deviceName(`/dev/${name}`) === tty);
  const uses: string[] = [];
  if (includes(consoles)) uses.push('the kernel console');
  if (includes(units.matchAll(/^serial-getty@(.+)\.service$/gm))) uses.push('a login');
  if (uses.length === 0) return undefined;
  const lines =
    board && board.console.length > 0
      ? board.console
      : ['sudo systemctl disable --now serial-getty@TTY.service'];
  const text = `${uses.join(' and ')} is on ${tty} and would talk to the devices`;
  return ['problem', text, lines.map((line) => line.replaceAll('TTY', tty))];
}

/** Node cannot set TIOCSRS485, so the adapter or the kernel must turn the line. */
function checkDirection(
  port: string,
  board: Board | undefined,
  tty: string,
  machine: Machine,
): Finding | undefined {
  const byKernel = machine.hasProperty(tty, 'linux,rs485-enabled-at-boot-time');
  const rs485 = board && Object.hasOwn(board.rs485, port) ? board.rs485[port] : undefined;
  if (byKernel) return ['ok', 'the kernel switches the direction of the RS-485 line'];
  if (!rs485) return undefined;
  if (rs485.direction === 'adapter') {
    const text = `the adapter must switch the direction by itself (${rs485.about})`;
    if (rs485.kernel.length === 0) return ['ok', text];
    return ['ok', `${text}; for one that wants RTS, the kernel can`, [...rs485.kernel, 'sudo reboot']];
  }
  if (byKernel === undefined) return ['unknown', 'the device tree does not tell who switches the direction'];
  const text = `nobody switches the direction of the RS-485 line (${rs485.about}): the overlay is not loaded`;
  return ['problem', text, [...rs485.kernel, 'sudo reboot']];
}
