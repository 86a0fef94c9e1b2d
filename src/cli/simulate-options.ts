/** The options of `moonwire simulate`, read and checked. */

import { type Command, InvalidArgumentError } from 'commander';
import { parseAddress } from '../config/address.js';
import { MAX_DELAY_MS, MAX_MERGE } from '../transports/faults.js';
import type { SerialOptions } from '../transports/serial.js';
import { bytesOfDigits, hexDigits } from './hex-lines.js';
import type { Target } from './simulate-device.js';

/** What `moonwire simulate` was asked for: one of the targets, one of the things to play. */
export interface SimulateOptions {
  tcp?: Target;
  udp?: Target;
  serial?: Target;
  listen?: Target;
  file?: string;
  hex?: Uint8Array;
  script?: string;
  option: Record<string, string>;
  every: number;
  repeat: number;
  wait: number;
  devices: number;
  reconnect?: true;
  delay: number;
  /** True for the bare option. */
  split?: number | true;
  merge: number;
  corrupt: number;
  drop: number;
  seed?: number;
  quiet?: true;
}

const DAY = 86_400;
const MAX_DEVICES = 10_000;
const DEFAULT_BAUD = 9600;

const EXAMPLES = `
Examples:
  moonwire simulate --tcp 127.0.0.1:6790 --file configs/captures/gt06.hex --every 2 --repeat forever
  moonwire simulate --udp 127.0.0.1:6791 --hex 2457494d5741 --corrupt 0.5 --repeat 20
  moonwire simulate --serial /dev/ttyUSB1:9600,8E1 --script lua/devices/meter.lua
A file of captured frames has one a line, in hex; "#" begins a comment.
Exit codes: 0 played or interrupted, 1 the connection was lost, 2 usage, 3 cannot connect.`;

/** Adds `moonwire simulate`. */
export function addSimulate(program: Command): void {
  const address = (kind: 'tcp' | 'udp' | 'listen') => (text: string) => ({ kind, ...readAddress(text) });
  program
    .command('simulate')
    .description('play a device against a running engine: captured frames, or a Lua script')
    .option('--tcp <host:port>', 'connect to a TCP server of the engine', address('tcp'))
    .option('--udp <host:port>', 'send to a UDP server of the engine', address('udp'))
    .option('--serial <path[:baud[,8N1]]>', `use a serial port; ${DEFAULT_BAUD},8N1 unless said`, readSerial)
    .option('--listen <host:port>', 'wait for the engine to connect over TCP', address('listen'))
    .option('--file <file>', 'captured frames to send, a line of hex each')
    .option('--hex <hex>', 'one frame to send', readHex)
    .option('--script <file>', 'Lua entry script that plays the device')
    .option(
      '--option <name=value>',
      'a value for mix.server.option of the script; may be repeated',
      addOption,
      {},
    )
    .option('--every <seconds>', 'pause between frames', number(0, DAY), 1)
    .option('--repeat <times>', 'how often all frames are sent, or "forever"', readRepeat, 1)
    .option('--wait <seconds>', 'wait for answers after the last frame', number(0, DAY), 1)
    .option('--devices <n>', 'devices at the same time (tcp and udp)', wholeNumber(1, MAX_DEVICES), 1)
    .option('--reconnect', 'connect again, and play from the start, when the connection is lost')
    .option('--delay <ms>', 'fault: everything leaves so much later', number(0, MAX_DELAY_MS), 0)
    .option('--split [bytes]', 'fault: cut into pieces of 1 to so many bytes (8)', wholeNumber(1, 65_536))
    .option('--merge <n>', 'fault: send n frames as one', wholeNumber(1, MAX_MERGE), 0)
    .option('--corrupt <probability>', 'fault: change one byte of a frame', number(0, 1), 0)
    .option('--drop <probability>', 'fault: do not send a frame', number(0, 1), 0)
    .option('--seed <n>', 'make the same faults again', wholeNumber(0, 2 ** 32 - 1))
    .option('--quiet', 'print the summary only')
    .addHelpText('after', EXAMPLES)
    .action(async (options: SimulateOptions, command: Command) => {
      const problem = problemOf(options);
      if (problem !== undefined) command.error(`error: ${problem}`);
      process.exitCode = await (await import('./simulate.js')).simulate(options);
    });
}

/** What is wrong with options that are right one by one. */
function problemOf({
  tcp,
  udp,
  serial,
  listen,
  file,
  hex,
  script,
  devices,
}: SimulateOptions): string | undefined {
  const given = (choices: unknown[]): number => choices.filter((choice) => choice !== undefined).length;
  if (given([tcp, udp, serial, listen]) !== 1)
    return 'name the engine by one of --tcp, --udp, --serial and --listen';
  if (given([file, hex, script]) !== 1) return 'say what is played by one of --file, --hex and --script';
  if (devices > 1 && (serial || listen)) return '--devices goes with --tcp or --udp only';
  return undefined;
}

function number(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It must be a number from ${min} to ${max}.`);
  };
}

function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && Number.isInteger(value) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
  };
}

function readRepeat(text: string): number {
  return text === 'forever' ? Number.POSITIVE_INFINITY : wholeNumber(1, 1_000_000_000)(text);
}

function readAddress(text: string): { host: string; port: number } {
  const address = parseAddress(text, 0);
  if (address) return address;
  throw new InvalidArgumentError('It must be a host and a port from 1 to 65535, such as 127.0.0.1:6790.');
}

function readHex(text: string): Uint8Array {
  const bytes = bytesOfDigits(hexDigits(text));
  if (bytes) return bytes;
  throw new InvalidArgumentError('It must be hexadecimal bytes, such as 78780d01.');
}

function readSerial(text: string): Target {
  const match = /^(.+?)(?::(\d{2,7})(?:,([5-8])([NEO])([12]))?)?$/i.exec(text);
  const baudRate = Number(match?.[2] ?? DEFAULT_BAUD);
  if (!match || baudRate < 50 || baudRate > 4_000_000) {
    throw new InvalidArgumentError(
      'It must be a path, with a speed of 50 to 4000000 such as /dev/ttyUSB0:9600,8E1.',
    );
  }
  const [, port, , bits = '8', parity = 'N', stop = '1'] = match;
  const serial: SerialOptions = {
    port: port!,
    baudRate,
    dataBits: Number(bits) as 5 | 6 | 7 | 8,
    parity: ({ N: 'none', E: 'even', O: 'odd' } as const)[parity.toUpperCase() as 'N' | 'E' | 'O'],
    stopBits: Number(stop) as 1 | 2,
  };
  return { kind: 'serial', serial };
}

function addOption(text: string, options: Record<string, string>): Record<string, string> {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('It must be a name and a value, such as unit=1.');
  return { ...options, [text.slice(0, at)]: text.slice(at + 1) };
}
