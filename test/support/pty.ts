import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';

/** A serial line without hardware: two pseudo terminals joined by socat, at two paths. */
export interface PtyPair {
  /** One end of the line; a symbolic link, as under /dev/serial/by-id. */
  readonly a: string;
  /** The other end. */
  readonly b: string;
  /** Pulls the plug: socat is killed, both links vanish. */
  unplug(): Promise<void>;
  /** Plugs it in again under the same paths. */
  plug(): Promise<void>;
  /** Unplugs and removes everything. */
  remove(): Promise<void>;
}

/** Makes a line that is plugged in. Needs socat; see `missing('socat', 'socat')`. */
export async function ptyPair(): Promise<PtyPair> {
  const folder = mkdtempSync(join(tmpdir(), 'moonwire-pty-'));
  const a = join(folder, 'a');
  const b = join(folder, 'b');
  let socat: ReturnType<typeof spawn> | undefined;

  const plug = async (): Promise<void> => {
    socat = spawn('socat', [`pty,raw,echo=0,link=${a}`, `pty,raw,echo=0,link=${b}`], { stdio: 'ignore' });
    while (!existsSync(a) || !existsSync(b)) {
      if (socat.exitCode !== null) throw new Error(`socat ended with ${socat.exitCode}`);
      await setTimeout(10);
    }
  };
  const unplug = async (): Promise<void> => {
    if (socat && socat.exitCode === null && socat.signalCode === null) {
      const ended = once(socat, 'exit');
      socat.kill('SIGKILL');
      await ended;
    }
    rmSync(a, { force: true });
    rmSync(b, { force: true });
  };
  const remove = async (): Promise<void> => {
    await unplug();
    rmSync(folder, { recursive: true, force: true });
  };
  await plug();
  return { a, b, plug, unplug, remove };
}
