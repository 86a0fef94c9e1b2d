/** Runs the `moonwire` command as its users do: the bundle, in a process of its own. */

import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const BUNDLE = join(ROOT, 'dist/cli.js');

/** `npm test` builds first; a run of single test files must not try what was built long ago. */
function buildIfStale(): void {
  const built = statSync(BUNDLE, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const sources = readdirSync(join(ROOT, 'src'), { recursive: true, withFileTypes: true });
  if (sources.every((file) => statSync(join(file.parentPath, file.name)).mtimeMs <= built)) return;
  execFileSync('node', ['esbuild.config.mjs'], { cwd: ROOT, stdio: 'inherit' });
}

buildIfStale();

export interface CliOptions {
  /** Text for standard input, which is closed after it. */
  input?: string;
  /** Variables beside those of this process; undefined removes one. */
  env?: Record<string, string | undefined>;
  /** Options of Node itself. */
  nodeArgs?: readonly string[];
}

/** How a command ended. */
export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** A command that runs. */
export class Cli {
  stdout = '';
  stderr = '';
  readonly ended: Promise<Ended>;
  private readonly child: ChildProcessWithoutNullStreams;
  private changed = (): void => {};

  constructor(args: readonly string[], { input, env, nodeArgs = [] }: CliOptions = {}) {
    // The test runner would load its own modules into every Node it sees started, which doubles the time to start.
    this.child = spawn(
      '/usr/bin/env',
      ['-u', 'NODE_OPTIONS', process.execPath, ...nodeArgs, BUNDLE, ...args],
      {
        cwd: ROOT,
        env: { ...process.env, NO_COLOR: '1', ...env },
      },
    );
    this.child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
      this.changed();
    });
    this.child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
      this.changed();
    });
    this.child.stdin.on('error', () => {}).end(input ?? '');
    this.ended = once(this.child, 'close').then(([code, signal]) => {
      this.changed();
      return { code, signal, stdout: this.stdout, stderr: this.stderr };
    });
  }

  get pid(): number {
    return this.child.pid!;
  }

  get running(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** Waits until both outputs together match; rejects when the command ends before. The test's time limit bounds it. */
  async until(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.stdout + this.stderr);
      if (match) return match;
      if (!this.running) throw new Error(`ended without ${pattern}:\n${this.stdout}${this.stderr}`);
      await new Promise<void>((resolve) => {
        this.changed = resolve;
      });
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Sends a signal and waits for the end. */
  stop(signal: NodeJS.Signals = 'SIGINT'): Promise<Ended> {
    this.signal(signal);
    return this.ended;
  }

  kill(): void {
    this.child.kill('SIGKILL');
  }
}

/** Runs a command to its end. */
export function moonwire(args: readonly string[], options?: CliOptions): Promise<Ended> {
  return new Cli(args, options).ended;
}

/** Starts a command that is killed, if it still runs, after the test. */
export function startMoonwire(t: Test, args: readonly string[], options?: CliOptions): Cli {
  const cli = new Cli(args, options);
  t.teardown(async () => {
    if (cli.running) cli.kill();
    await cli.ended;
  });
  return cli;
}
