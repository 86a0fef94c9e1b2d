/** `openssl s_client`, a TLS client that is not ours. */

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Test } from 'tap';
import { until } from './engine.js';

export class OpensslClient {
  /** All it printed: the course of the handshake, and what the server sent. */
  output = '';
  /** Whether it has ended. */
  ended = false;

  private constructor(private readonly child: ChildProcessWithoutNullStreams) {
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
      });
    }
    child.stdin.on('error', () => {});
    child.on('close', () => {
      this.ended = true;
    });
  }

  /** Connects to a port of 127.0.0.1; it is ended with the test. */
  static start(t: Test, port: number, ...args: string[]): OpensslClient {
    const child = spawn('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, ...args]);
    const client = new OpensslClient(child);
    t.teardown(() => client.close());
    return client;
  }

  /** Sends a line; a lone `R` or `Q` is a command to openssl. */
  send(line: string): void {
    this.child.stdin.write(`${line}\n`);
  }

  /** Resolves once its output matches. */
  async until(pattern: RegExp): Promise<RegExpExecArray> {
    let found: RegExpExecArray | null = null;
    await until(
      () => {
        found = pattern.exec(this.output);
        return found !== null;
      },
      () => `${pattern} in ${this.output}`,
    );
    return found!;
  }

  /** Resolves once it ended by itself, as it does when the server closes. */
  async end(): Promise<string> {
    await until(
      () => this.ended,
      () => `openssl has not ended: ${this.output}`,
    );
    return this.output;
  }

  async close(): Promise<void> {
    if (this.ended) return;
    this.child.kill('SIGKILL');
    await once(this.child, 'close');
  }
}
