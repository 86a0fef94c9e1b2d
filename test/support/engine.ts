/** Runs a real engine in the test's process, with scripts given as text and its log at hand. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defaultCodecs } from '../../src/codecs/registry.js';
import { parseConfig } from '../../src/config/load.js';
import { Engine, type EngineParts, type Report } from '../../src/engine/engine.js';
import type { LogFields, Logger, LogLevel } from '../../src/log.js';
import { engineOptions } from '../../src/main.js';
import { MemoryKeyValue } from '../../src/store/keyvalue.js';

/** A line of the log. */
export interface Line extends LogFields {
  level: LogLevel;
  message: string;
}

/** A logger that keeps its lines. */
export function recordingLogger(lines: Line[] = [], base: LogFields = {}): Logger & { lines: Line[] } {
  const at = (level: LogLevel) => (message: string, fields?: LogFields) => {
    lines.push({ level, message, ...base, ...fields });
  };
  return {
    lines,
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (fields) => recordingLogger(lines, { ...base, ...fields }),
  };
}

export interface TestEngine {
  engine: Engine;
  log: Line[];
  reports: Report[];
  folder: string;
  /** Port of the n-th server. */
  port(n?: number): number;
  stop(): Promise<void>;
}

/**
 * Starts an engine. `scripts`: Lua sources by file name; `config`: YAML of `engine:`, in which `entry: name.lua`
 * names one of them.
 */
export async function startTestEngine(
  scripts: Record<string, string>,
  engineYaml: string,
  more = '',
  parts: Partial<EngineParts> = {},
): Promise<TestEngine> {
  const folder = mkdtempSync(join(tmpdir(), 'moonwire-test-'));
  for (const [name, text] of Object.entries(scripts)) {
    mkdirSync(join(folder, name, '..'), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  const indented = engineYaml.replace(/^/gm, '  ');
  const text = `engine:\n  name: test\n${indented}\nscript: { roots: [${folder}]${more} }\n`;
  const { config } = parseConfig(text, join(folder, 'test.yaml'), { cwd: folder });
  const logger = recordingLogger();
  const reports: Report[] = [];
  let id = 0;
  const engine = new Engine(engineOptions(config), {
    log: logger,
    node: () => 0,
    isOwn: () => true,
    nextClientId: () => ++id,
    report: (report) => {
      reports.push(report);
    },
    values: new MemoryKeyValue(),
    codecs: defaultCodecs([folder]),
    ...parts,
  });
  const stop = async () => {
    await engine.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await engine.start();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    engine,
    log: logger.lines,
    reports,
    folder,
    port: (n = 0) => engine.servers[n]!.listener!.port,
    stop,
  };
}

/** One server on a free loopback port with that script. */
export function startWithScript(script: string, limits = '{}', more = ''): Promise<TestEngine> {
  return startTestEngine(
    { 'main.lua': script },
    `servers: [{ name: s, port: 0, bind: 127.0.0.1, entry: main.lua, limits: ${limits} }]`,
    more,
  );
}

/** A device: a socket that keeps what it received. */
export class Device {
  received = Buffer.alloc(0);
  closed = false;

  private constructor(readonly socket: Socket) {
    socket.on('data', (chunk) => {
      this.received = Buffer.concat([this.received, chunk]);
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      this.closed = true;
    });
  }

  static async connect(port: number): Promise<Device> {
    const socket = connect({ port, host: '127.0.0.1' });
    const device = new Device(socket);
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    return device;
  }

  send(data: string | Uint8Array): void {
    this.socket.write(data);
  }

  get text(): string {
    return this.received.toString('latin1');
  }

  /** Resolves once the received text fulfils `condition`. */
  async until(condition: (text: string) => boolean): Promise<string> {
    await until(
      () => condition(this.text),
      () => `received ${JSON.stringify(this.text)}`,
    );
    return this.text;
  }
}

/** Resolves once `condition` holds; rejects after a generous bound, saying what was there instead. */
export async function until(
  condition: () => boolean,
  state = () => 'the condition does not hold',
): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`gave up waiting: ${state()}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
