/** Whether the serial port of a link can be used, and what to type when not. */

import type { LinkConfig } from '../config/schema.js';
import { messageOf } from '../errors.js';
import type { Board, Uart } from './board.js';
import { bootLines } from './boot-config.js';
import type { Check, CheckState } from './check.js';
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

/** All checks of one link's port; those that need the port end with the first that finds it missing. */
export async function checkPort(link: SerialLink, scene: PortScene): Promise<Check[]> {
  const { machine, board, ports } = scene;
  const { port } = link.serial;
  const found = (name: string, state: CheckState, text: string, type: readonly string[] = []): Check => ({
    name,
    link: link.name,
    state,
    text,
    type,
  });

  let path = port;
  let uart: Uart | undefined;
  if (isPortName(port)) {
    const known = board && boardPort(board, port, ports, machine);
    if (!known) return [found('port', 'problem', unknownPort(link.name, port, board))];
    ({ path, uart } = known);
    if (!known.present) return [found('port', 'problem', ...notEnabled(port, uart, board, machine))];
  } else if (port.startsWith('usb:')) {
    try {
      path = await scene.locate(port);
    } catch (error) {
      return [found('port', 'problem', `${messageOf(error)}; "moonwire ports" lists what is there`)];
    }
  }
  if (!machine.exists(path)) {
    const there = ports.length > 0 ? ports.map((known) => known.path).join(', ') : 'none';
    return [found('port', 'problem', `${path} is not there; serial ports that are: ${there}`)];
  }

  const tty = machine.deviceName(path);
  const name = path === port ? path : `${port} (${path})`;
  const node = ports.find((known) => known.path === `/dev/${tty}`)?.node;
  const checks = [found('port', 'ok', `${name} is there`)];
  if (board && uart) {
    const wiring = checkWiring(uart, board, node, machine);
    if (wiring) checks.push(found('enabled', 'problem', ...wiring));
    if (!uart.parity && link.serial.parity !== 'none') {
      const text = `${name} has no parity bit, and the link wants ${link.serial.parity} parity: use another UART`;
      checks.push(found('parity', 'problem', text));
    }
  }
  checks.push(found('permission', ...checkPermission(path, machine)));
  const console = checkConsole(tty, board, machine);
  if (console) checks.push(found('console', 'problem', ...console));
  const direction = checkDirection(port, board, tty, machine);
  if (direction) checks.push(found('rs485', ...direction));
  return checks;
}

function notEnabled(port: string, uart: Uart, board: Board, machine: Machine): [string, readonly string[]] {
  const what = `${port} of the ${board.title} (${uart.pins}) is not there`;
  const { file, missing, type } = bootLines(board, uart.enable, machine);
  if (uart.enable.length === 0) return [what, []];
  if (missing.length > 0)
    return [`${what}: ${missing.join(' and ')} is not in ${file ?? 'its boot file'}`, type];
  return [`${what}, although ${file} enables it: it takes effect at the next start`, ['sudo reboot']];
}

/** On some boards one UART of two has the pins; an alias of the device tree tells which. */
function checkWiring(
  uart: Uart,
  board: Board,
  node: string | undefined,
  machine: Machine,
): [string, readonly string[]] | undefined {
  const [alias] = uart.wired === undefined ? [] : machine.strings(`/proc/device-tree/aliases/${uart.wired}`);
  if (alias === undefined || node === undefined || alias.split('/').at(-1) === node) return undefined;
  const { missing, type } = bootLines(board, uart.enable, machine);
  const others = uart.conflicts.join(', ');
  const mend = missing.length > 0 ? `${missing.join(' and ')} is missing` : 'another line gives them to it';
  return [`the UART is not wired to its pins (${uart.pins}), which are shared with ${others}: ${mend}`, type];
}

function checkPermission(path: string, machine: Machine): [CheckState, string, readonly string[]] {
  const { mode, uid, gid } = machine.stat(path)!;
  const group = machine.groupName(gid);
  const rights = `${path} belongs to group ${group}`;
  if (machine.uid === 0) return ['ok', `${rights}; root may open it, the service needs that group`, []];
  const bits = machine.uid === uid ? mode >> 6 : machine.groups.includes(gid) ? mode >> 3 : mode;
  if ((bits & 0o6) === 0o6) return ['ok', `this user may read and write ${path}`, []];
  if ((mode & 0o060) !== 0o060) {
    return ['problem', `${rights}, which may not read and write it`, [`sudo chmod g+rw ${path}`]];
  }
  const text = `${rights}, which this user is not in; a new group counts from the next login on`;
  return ['problem', text, [`sudo usermod -aG ${group} $USER`]];
}

/** A console or login on the port would answer the devices. */
function checkConsole(
  tty: string,
  board: Board | undefined,
  machine: Machine,
): [string, readonly string[]] | undefined {
  const uses: string[] = [];
  const consoles = [...(machine.text('/proc/cmdline') ?? '').matchAll(/(?<!\S)console=([^\s,]+)/g)];
  // The command line may name an alias such as serial0, which is a link in /dev.
  if (consoles.some(([, name]) => machine.deviceName(`/dev/${name}`) === tty))
    uses.push('the kernel console');
  const logins = ['/etc/systemd/system', '/run/systemd/generator', '/run/systemd/generator.late'];
  const login = logins.some((folder) =>
    machine
      .names(`${folder}/getty.target.wants`)
      .some((unit) => machine.deviceName(`/dev/${/^serial-getty@(.+)\.service$/.exec(unit)?.[1]}`) === tty),
  );
  if (login) uses.push('a login');
  if (uses.length === 0) return undefined;
  const type =
    board && board.console.length > 0
      ? board.console
      : ['sudo systemctl disable --now serial-getty@TTY.service'];
  return [
    `${uses.join(' and ')} is on ${tty} and would talk to the devices`,
    type.map((line) => line.replaceAll('TTY', tty)),
  ];
}

/** Node cannot set TIOCSRS485, so the adapter or the kernel must turn the line. */
function checkDirection(
  port: string,
  board: Board | undefined,
  tty: string,
  machine: Machine,
): [CheckState, string, readonly string[]] | undefined {
  const byKernel = machine.hasProperty(tty, 'linux,rs485-enabled-at-boot-time');
  const rs485 = board && Object.hasOwn(board.rs485, port) ? board.rs485[port] : undefined;
  if (byKernel) return ['ok', 'the kernel switches the direction of the RS-485 line', []];
  if (!rs485) return undefined;
  if (rs485.direction === 'adapter') {
    return ['ok', `the adapter must switch the direction by itself (${rs485.about})`, []];
  }
  if (byKernel === undefined)
    return ['unknown', 'the device tree does not tell who switches the direction', []];
  const text = `nobody switches the direction of the RS-485 line (${rs485.about}): the overlay is not loaded`;
  return ['problem', text, [...rs485.kernel, 'sudo reboot']];
}
