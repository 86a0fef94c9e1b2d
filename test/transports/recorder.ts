import type { Connection, ConnectionHandler } from '../../src/transports/connection.js';

/** An owner that keeps what it is told, and lets a test wait for it. Empty datagrams are overlooked. */
export class Recorder implements ConnectionHandler {
  readonly chunks: Uint8Array[] = [];
  readonly closes: (Error | undefined)[] = [];
  drains = 0;
  /** What else to do with data, after it was kept. */
  onData: (bytes: Uint8Array) => void = () => {};
  private bytes = 0;
  private waiting: (() => void)[] = [];

  constructor(readonly connection: Connection) {
    connection.attach(this);
  }

  data(bytes: Uint8Array): void {
    if (this.closes.length > 0) throw new Error('data after close');
    if (bytes.length === 0) return;
    this.chunks.push(bytes);
    this.bytes += bytes.length;
    this.onData(bytes);
    this.changed();
  }

  drain(): void {
    if (this.closes.length > 0) throw new Error('drain after close');
    this.drains++;
    this.changed();
  }

  close(error?: Error): void {
    this.closes.push(error);
    this.changed();
  }

  get received(): Buffer {
    return Buffer.concat(this.chunks);
  }

  get receivedBytes(): number {
    return this.bytes;
  }

  /** Waits until `condition` holds; looks again at each event. The test's own time limit bounds it. */
  async until(condition: (recorder: this) => boolean): Promise<void> {
    while (!condition(this)) await new Promise<void>((resolve) => this.waiting.push(resolve));
  }

  text(length: number): Promise<string> {
    return this.until((r) => r.receivedBytes >= length).then(() => this.received.toString());
  }

  async closed(): Promise<Error | undefined> {
    await this.until((r) => r.closes.length > 0);
    return this.closes[0];
  }

  private changed(): void {
    for (const wake of this.waiting.splice(0)) wake();
  }
}
