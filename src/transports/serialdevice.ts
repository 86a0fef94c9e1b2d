import { execFile } from 'node:child_process';
import { readFile, realpath, stat } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { type ErrorCode, MoonwireError, messageOf } from '../errors.js';
import { locateSerialPort } from './serialports.js';

const MAX_BAUD_RATE = 4_000_000;
/** A read under way in another thread keeps the lock a moment longer than the closing of its port. */
const LOCK_TRIES = 5;
const LOCK_MS = 50;
/** stty takes some milliseconds; it is given up after so many. */
const STTY_MS = 2000;

/** How a serial line is set. */
export interface SerialSettings {
  /** Bits a second, 50 to 4,000,000. */
  baudRate: number;
  /** Default 8. */
  dataBits?: 5 | 6 | 7 | 8 | undefined;
  /** Default none. */
  parity?: 'none' | 'even' | 'odd' | undefined;
  /** Default 1. */
  stopBits?: 1 | 2 | undefined;
  /** Hardware flow control by RTS and CTS. Default off. */
  rtscts?: boolean | undefined;
  /** Software flow control by XON and XOFF, both directions. Default off; not for binary protocols. */
  xonxoff?: boolean | undefined;
  /** Level of RTS once the port is open; the system raises both lines when it opens. Default on. */
  rts?: boolean | undefined;
  /** Level of DTR once the port is open. Default on. */
  dtr?: boolean | undefined;
}

/** An open serial port: what a serial connection needs of the hardware. */
export interface SerialDevice {
  /** Waits for bytes and puts them into `buffer`. Rejects when the device is closed or gone. */
  read(buffer: Buffer): Promise<number>;
  /** Resolves when the system took all bytes. May stay pending for ever when the device is gone. */
  write(bytes: Buffer): Promise<void>;
  /** Whether the device that was opened is still there. */
  present(): Promise<boolean>;
  /** Closes the descriptor. */
  close(): Promise<void>;
}

/**
 * Opens a port by its path, or by `usb:VENDOR:PRODUCT[:SERIAL]`; rejects with a MoonwireError. What the hardware does
 * not have and can be done without is told to `note`.
 */
export type OpenSerialDevice = (
  path: string,
  settings: SerialSettings,
  note: (message: string) => void,
) => Promise<SerialDevice>;

/**
 * The real hardware, by the `serialport` library, which is loaded with the first port. Its binding is used
 * without its stream: the stream reads ahead while paused, and loses callbacks when a port vanishes.
 *
 * The lock is advisory (`flock`): it keeps out every other program that locks, and none that does not.
 */
export const openSerialDevice: OpenSerialDevice = async (path, settings, note) => {
  const { baudRate } = settings;
  if (!Number.isInteger(baudRate) || baudRate < 50 || baudRate > MAX_BAUD_RATE) {
    // The system would take any bit pattern for a rate of its own.
    const range = `a whole number from 50 to ${MAX_BAUD_RATE}`;
    throw new MoonwireError('invalid_argument', `baudRate must be ${range}, not ${baudRate}`, path);
  }
  // A device may have another node each time it is plugged in, so USB ids and links are followed at each open.
  const found = await locateSerialPort(path);
  const { SerialPort } = await import('serialport');
  try {
    const node = await realpath(found);
    const opened = await stat(node);
    const { xonxoff = false, rts, dtr, ...line } = settings;
    const options = { ...line, path: node, lock: true, hupcl: false, xon: xonxoff, xoff: xonxoff };
    const port = await whenUnlocked(async () => SerialPort.binding.open(options));
    await keepLines(node, (reason) => note(`${path} drops DTR when it is closed: ${reason}`));
    if (rts !== undefined || dtr !== undefined) {
      // What is left out is lowered by the binding. Pseudo terminals and some adapters have no such lines.
      const levels = { rts: rts ?? true, dtr: dtr ?? true, cts: false, dsr: false, brk: false };
      await port.set(levels).catch((error: unknown) => {
        note(`${path} does not take levels of RTS and DTR: ${messageOf(error)}`);
      });
    }
    return {
      read: async (buffer) => (await port.read(buffer, 0, buffer.length)).bytesRead,
      write: (bytes) => port.write(bytes),
      present: async () => {
        const now = await stat(node).catch(() => undefined);
        return now?.rdev === opened.rdev && now.ino === opened.ino;
      },
      close: () => port.close(),
    };
  } catch (error) {
    throw await serialError(error, found);
  }
};

/**
 * Lets a port keep its lines when it is closed: a device that takes DTR for a reset is not to see a restart. The binding
 * sets `hupcl`, which the system has on, and does not clear it.
 */
function keepLines(node: string, failed: (reason: string) => void): Promise<void> {
  return new Promise((resolve) => {
    execFile('stty', ['-F', node, '-hupcl'], { timeout: STTY_MS }, (error) => {
      if (error) failed(messageOf(error).trim());
      resolve();
    });
  });
}

async function whenUnlocked<T>(open: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await open();
    } catch (error) {
      if (tries === LOCK_TRIES || !LOCKED.test(messageOf(error))) throw error;
      await pause(LOCK_MS);
    }
  }
}

const LOCKED = /Cannot lock port|temporarily unavailable|resource busy/i;

/** The binding reports system errors as text only. */
const MEANINGS: readonly (readonly [RegExp, ErrorCode, string])[] = [
  [/ENOENT|No such (file|device)/i, 'not_found', 'is not there: unplugged, or another name'],
  [LOCKED, 'conflict', 'is in use by another program or link'],
  [/Inappropriate ioctl|Not a tty/i, 'invalid_argument', 'is not a serial port'],
  [
    /Invalid (data|stop|parity)|baud rate|Invalid argument/i,
    'invalid_argument',
    'does not take these settings',
  ],
];

/** Translates why a port could not be opened, or was lost, into one clear sentence about `path`. */
export async function serialError(error: unknown, path: string): Promise<MoonwireError> {
  const text = messageOf(error);
  const options = { cause: error };
  if (/Permission denied|EACCES|EPERM/i.test(text)) {
    const group = await groupOf(path);
    const hint = group
      ? `: it belongs to group ${group}; type "sudo usermod -aG ${group} $USER" and log in again`
      : '';
    return new MoonwireError('forbidden', `${path} may not be opened by this user${hint}`, path, options);
  }
  const known = MEANINGS.find(([pattern]) => pattern.test(text));
  if (known) return new MoonwireError(known[1], `${path} ${known[2]} (${text})`, path, options);
  return new MoonwireError('not_connected', `${path} failed: ${text}`, path, options);
}

/** The name of the group a device node belongs to, for example dialout; its number when it has no name. */
async function groupOf(path: string): Promise<string | undefined> {
  const gid = await stat(path).then(
    (found) => String(found.gid),
    () => undefined,
  );
  const groups = await readFile('/etc/group', 'utf8').catch(() => '');
  const line = groups.split('\n').find((entry) => entry.split(':')[2] === gid);
  return line?.split(':')[0] ?? gid;
}
