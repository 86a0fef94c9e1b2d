/** A serial port without hardware: a pseudo terminal that socat joins to a TCP port. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { MoonwireError } from '../errors.js';

/** How long socat may take to make the port. */
const START_MS = 5000;

/** A port that exists until it is closed. */
export interface SerialLine {
  /** Path to open as a serial port. */
  readonly path: string;
  /** Ends socat and removes the port. */
  close(): Promise<void>;
}

/**
 * Makes a serial port whose other end is the TCP server on 127.0.0.1 at `port`. Resolves to undefined where socat
 * is not installed; rejects with MoonwireError `internal` when it fails.
 *
 * The far end is a connection of ours, not a second terminal: it ends with this process however that ends, and
 * socat with it.
 */
export async function openSerialLine(port: number): Promise<SerialLine | undefined> {
  const folder = mkdtempSync(join(tmpdir(), 'moonwire-'));
  const path = join(folder, 'serial');
  const child = spawn('socat', [`pty,raw,echo=0,link=${path}`, `tcp:127.0.0.1:${port},nodelay`], {
    stdio: 'ignore',
    // Ctrl-C at the terminal goes to the whole process group: the line is to last until the engine let go of it.
    detached: true,
  });
  const ended = once(child, 'exit').catch(() => {});
  const failed = new Promise<NodeJS.ErrnoException>((resolve) => {
    child.once('error', resolve);
  });
  const close = async (): Promise<void> => {
    child.kill();
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };

  const deadline = performance.now() + START_MS;
  while (!existsSync(path)) {
    const error = await Promise.race([failed, pause(10)]);
    if (error) {
      rmSync(folder, { recursive: true, force: true });
      if (error.code === 'ENOENT') return undefined;
      throw new MoonwireError('internal', `socat cannot be run: ${error.message}`);
    }
    if (child.exitCode !== null || performance.now() > deadline) {
      await close();
      throw new MoonwireError('internal', `socat made no serial port (exit code ${child.exitCode})`);
    }
  }
  return { path, close };
}
