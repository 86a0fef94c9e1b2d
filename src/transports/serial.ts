import { MoonwireError, messageOf } from '../errors.js';
import type { Connection } from './connection.js';
import { Endpoint } from './endpoint.js';
import {
  type OpenSerialDevice,
  openSerialDevice,
  type SerialDevice,
  type SerialSettings,
} from './serialdevice.js';

/** What a serial link needs. */
export interface SerialOptions extends SerialSettings {
  /** Path of the port, best one under /dev/serial/by-id, or `usb:VENDOR:PRODUCT[:SERIAL]`: both survive renumbering. */
  port: string;
}

/** Milliseconds between two looks whether the device node is still there. */
const PRESENCE_MS = 1000;
/** Bytes given to the system at a time, so that `pendingBytes` shrinks steadily on a slow line. */
const WRITE_BYTES = 512;
const READ_BYTES = 4096;

/**
 * Opens a serial port exclusively. What had arrived before is dropped by the system. Rejects with a
 * MoonwireError: `not_found`, `forbidden`, `conflict` (in use), `invalid_argument` (settings, not a port).
 * @param note told of what the port does not have and can be done without: levels of RTS and DTR
 * @param openDevice the hardware; tests put their own here.
 */
export async function openSerial(
  options: SerialOptions,
  note: (message: string) => void = () => {},
  openDevice: OpenSerialDevice = openSerialDevice,
): Promise<Connection> {
  const { port, ...settings } = options;
  return new SerialConnection(await openDevice(port, settings, note), port);
}

class SerialConnection extends Endpoint {
  readonly transport = 'serial';
  readonly datagram = false;
  private queue: Uint8Array[] = [];
  private unsent = 0;
  private writing = false;
  private releasing = false;
  private paused = false;
  /** Lets the reader go on that waits for the end of a pause. */
  private wake: (() => void) | undefined;
  private readonly watch: NodeJS.Timeout;

  constructor(
    private readonly device: SerialDevice,
    readonly remote: string,
  ) {
    super();
    this.watch = setInterval(() => void this.checkPresence(), PRESENCE_MS);
  }

  get local(): string {
    return this.remote;
  }

  get pendingBytes(): number {
    return this.releasing ? 0 : this.unsent;
  }

  write(bytes: Uint8Array): void {
    if (this.closed || bytes.length === 0) return;
    this.queue.push(bytes);
    this.unsent += bytes.length;
    if (this.writing) return;
    this.writing = true;
    setImmediate(() => void this.writeQueued());
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    this.wake?.();
  }

  protected start(): void {
    void this.readOn();
  }

  protected flushAndClose(): void {
    if (!this.writing) this.abort();
  }

  protected abort(): void {
    if (this.releasing) return;
    this.releasing = true;
    this.wake?.();
    clearInterval(this.watch);
    this.device
      .close()
      .catch((error: unknown) => this.blame(this.lost(error)))
      .finally(() => this.finish());
  }

  /** Reads until the port is closed. While paused nothing is read, so that flow control can hold the peer. */
  private async readOn(): Promise<void> {
    const buffer = Buffer.allocUnsafe(READ_BYTES);
    while (!this.releasing) {
      const length = await this.device.read(buffer).catch((error: unknown) => this.lose(error));
      while (this.paused && !this.releasing) await new Promise<void>((resolve) => (this.wake = resolve));
      if (length !== undefined && !this.closed) this.handler!.data(Buffer.copyBytesFrom(buffer, 0, length));
    }
  }

  private async writeQueued(): Promise<void> {
    while (this.queue.length > 0) {
      const batch = Buffer.concat(this.queue);
      this.queue = [];
      for (let at = 0; at < batch.length; at += WRITE_BYTES) {
        if (this.releasing) return;
        const part = batch.subarray(at, at + WRITE_BYTES);
        await this.device.write(part).catch((error: unknown) => this.lose(error));
        this.unsent -= part.length;
      }
    }
    this.writing = false;
    if (this.closed) this.abort();
    else this.handler?.drain?.();
  }

  /** The node's disappearance tells of an unplugged device even when no read or write is under way to fail. */
  private async checkPresence(): Promise<void> {
    if (!(await this.device.present())) this.lose(new Error('its device node vanished'));
  }

  private lose(error: unknown): undefined {
    if (!this.releasing) this.destroy(this.lost(error));
  }

  private lost(error: unknown): MoonwireError {
    return new MoonwireError('not_connected', `${this.remote} is gone: ${messageOf(error)}`, this.remote, {
      cause: error,
    });
  }
}
