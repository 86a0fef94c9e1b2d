/** A simulated device that sends captured frames, one after the other. */

import { setTimeout as pause } from 'node:timers/promises';
import type { Connection, ConnectionHandler } from '../transports/connection.js';

/** What is sent, and at which pace. */
export interface Capture {
  frames: readonly Uint8Array[];
  /** Seconds from one frame to the next. */
  everySeconds: number;
  /** How often all frames are sent; Infinity: for ever. */
  repeat: number;
  /** Seconds to wait for answers after the last frame. */
  waitSeconds: number;
}

/** Written bytes that may wait for the peer to take them. */
const MAX_PENDING = 65_536;

/** Plays a capture into a connection, whose owner it is, and ends the connection after it. */
export class CapturePlayer implements ConnectionHandler {
  private readonly gone = new AbortController();
  private wake = (): void => {};

  /** `startSeconds`: how long to wait before the first frame. */
  constructor(
    private readonly connection: Connection,
    private readonly capture: Capture,
    startSeconds = 0,
  ) {
    // What ends the sleep of a player is the end of its connection.
    this.play(startSeconds).catch(() => {});
  }

  data(): void {}

  drain(): void {
    this.wake();
  }

  close(): void {
    this.gone.abort();
    this.wake();
  }

  private async play(startSeconds: number): Promise<void> {
    const { frames, everySeconds, repeat, waitSeconds } = this.capture;
    await this.sleep(startSeconds);
    for (let round = 0; round < repeat; round++) {
      for (const [index, frame] of frames.entries()) {
        if (round + index > 0) await this.sleep(everySeconds);
        this.connection.write(frame);
        if (this.connection.pendingBytes > MAX_PENDING) await this.drained();
      }
    }
    if (this.connection.pendingBytes > 0) await this.drained();
    await this.sleep(waitSeconds);
    this.connection.end();
  }

  private sleep(seconds: number): Promise<void> {
    return pause(seconds * 1000, undefined, { signal: this.gone.signal });
  }

  private drained(): Promise<void> {
    return new Promise((resolve) => {
      this.wake = resolve;
    });
  }
}
