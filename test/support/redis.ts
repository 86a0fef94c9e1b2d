/** A real Redis server on a free port of 127.0.0.1 that keeps nothing. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { freePort } from './ports.js';

export class TestRedis {
  private child: ChildProcess | undefined;

  private constructor(
    readonly port: number,
    private readonly folder: string,
    private readonly more: readonly string[],
  ) {}

  /** Starts a server that ends with the test. `more`: further arguments, as `--requirepass x`. */
  static async start(t: Test, ...more: string[]): Promise<TestRedis> {
    for (let attempt = 0; ; attempt++) {
      const redis = new TestRedis(await freePort(), mkdtempSync(join(tmpdir(), 'moonwire-redis-')), more);
      t.teardown(async () => {
        await redis.stop();
        rmSync(redis.folder, { recursive: true, force: true });
      });
      try {
        await redis.start();
        return redis;
      } catch (error) {
        // Somebody else took the port meanwhile.
        if (attempt === 3) throw error;
      }
    }
  }

  /** Starts it, or starts it again, on the same port. */
  async start(): Promise<void> {
    const options = ['--port', `${this.port}`, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
    const child = spawn('redis-server', [...options, '--dir', this.folder, ...this.more], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.child = child;
    let output = '';
    await new Promise<void>((resolve, reject) => {
      child.stdout!.setEncoding('utf8').on('data', (text: string) => {
        output += text;
        if (output.includes('Ready to accept connections')) resolve();
      });
      child.once('error', reject).once('exit', () => reject(new Error(`redis-server ended:\n${output}`)));
    });
  }

  /** Sends a signal; SIGSTOP makes it hang, SIGCONT go on. */
  signal(signal: NodeJS.Signals): void {
    this.child?.kill(signal);
  }

  /** Kills it. */
  async stop(): Promise<void> {
    const { child } = this;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
}
