/** A real Mosquitto on free ports of 127.0.0.1 that keeps what it has over a restart. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import type { Certificates } from './certificates.js';
import { freePorts } from './ports.js';

export class TestMosquitto {
  /** Messages it has been sent by clients, over all starts. */
  received = 0;
  private child: ChildProcess | undefined;

  private constructor(
    /** Of plain MQTT, and of MQTT over TLS when there are certificates. */
    readonly port: number,
    readonly tlsPort: number,
    private readonly file: string,
  ) {}

  /** Starts a broker that ends with the test. With certificates, clients over TLS must show one. `more`: settings. */
  static async start(
    t: Pick<Test, 'teardown'>,
    { certificates, more = [] }: { certificates?: Certificates; more?: readonly string[] } = {},
  ): Promise<TestMosquitto> {
    const folder = mkdtempSync(join(tmpdir(), 'moonwire-mosquitto-'));
    t.teardown(() => rmSync(folder, { recursive: true, force: true }));
    for (let attempt = 0; ; attempt++) {
      const [port, tlsPort] = await freePorts(2);
      const file = join(folder, 'mosquitto.conf');
      const lines = [
        ...['allow_anonymous true', 'persistence true', `persistence_location ${folder}/`, 'user root'],
        ...['max_queued_messages 0', ...more],
        `listener ${port} 127.0.0.1`,
      ];
      if (certificates) {
        const { ca, server } = certificates;
        lines.push(`listener ${tlsPort} 127.0.0.1`, `cafile ${ca}`, `certfile ${server.cert}`);
        lines.push(`keyfile ${server.key}`, 'require_certificate true');
      }
      writeFileSync(file, `${lines.join('\n')}\n`);
      const broker = new TestMosquitto(port!, tlsPort!, file);
      t.teardown(() => broker.stop());
      try {
        await broker.start();
        return broker;
      } catch (error) {
        // Somebody else took a port meanwhile.
        if (attempt === 3) throw error;
      }
    }
  }

  /** Starts it, or starts it again, on the same ports. */
  async start(): Promise<void> {
    const child = spawn('mosquitto', ['-v', '-c', this.file], { stdio: ['ignore', 'ignore', 'pipe'] });
    this.child = child;
    let [output, rest] = ['', ''];
    await new Promise<void>((resolve, reject) => {
      child.stderr!.setEncoding('utf8').on('data', (text: string) => {
        const lines = (rest + text).split('\n');
        rest = lines.pop()!;
        this.received += lines.filter((line) => line.includes('Received PUBLISH')).length;
        if (output.length < 10_000) output += text;
        if (/mosquitto version \S+ running/.test(output)) resolve();
      });
      child.once('error', reject).once('exit', () => reject(new Error(`mosquitto ended:\n${output}`)));
    });
  }

  /** Sends a signal; SIGSTOP makes it hang, SIGCONT go on. */
  signal(signal: NodeJS.Signals): void {
    this.child?.kill(signal);
  }

  /** Ends it; by SIGTERM it keeps what it has for the next start. */
  async stop(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const { child } = this;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    await once(child, 'exit');
  }
}

/** A message somebody else than the program under test has received. */
export interface MqttMessage {
  readonly topic: string;
  readonly payload: string;
}

/** Debian's own client, with a session that outlives the broker; collects what it is sent until the test ends. */
export async function subscribe(t: Test, broker: TestMosquitto, topic: string): Promise<MqttMessage[]> {
  const messages: MqttMessage[] = [];
  const options = [
    '-h',
    '127.0.0.1',
    '-p',
    `${broker.port}`,
    '-q',
    '1',
    '-c',
    '-i',
    'collector',
    '-t',
    topic,
  ];
  // Lines as they come: into a pipe they would be written by the block.
  const command = ['-oL', 'mosquitto_sub', ...options, '-d', '-F', 'message %t %p'];
  const child = spawn('stdbuf', command, {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(async () => {
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
  let rest = '';
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop()!;
      for (const line of lines) {
        const match = /^message (\S+) (.*)$/.exec(line);
        if (match) messages.push({ topic: match[1]!, payload: match[2]! });
        if (line.includes('received SUBACK') || line.startsWith('Subscribed')) resolve();
      }
    });
  });
  return messages;
}
