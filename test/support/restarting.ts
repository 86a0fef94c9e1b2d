/** A gateway that is replaced while devices talk to it, each of which knows what it must be answered. */

import { createSocket, type Socket as DatagramSocket } from 'node:dgram';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Test } from 'tap';
import { type Cli, startMoonwire } from './cli.js';
import { freePorts } from './ports.js';

/** Answers each line with its number on that connection, which the script does not keep but its session and context do. */
export const LINES = `
protocol = {
  name = "lines",
  frame = mix.frame.delimiter{ ends = "\\n" },
  decode = function(frame, session)
    session.count = (session.count or 0) + 1
    return { text = frame, count = session.count }
  end,
}
function on_message(message, conn)
  local total = (conn:context_value("total") or 0) + 1
  conn:set_context_value("total", total)
  conn:send(message.text .. " " .. message.count .. " " .. total .. "\\n")
end
`;
/** Answers each datagram with itself and its number. */
export const DATAGRAMS = `
function on_message(message, conn)
  local total = (conn:context_value("total") or 0) + 1
  conn:set_context_value("total", total)
  conn:send(message .. " " .. total)
end
`;

const BEGUN = /"pid":(\d+)[^\n]*a new process begins/g;

/** A gateway under its first process, and those that took its place. */
export class Restarting {
  private constructor(readonly cli: Cli) {}

  static async start(
    t: Test,
    file: string,
    env: Record<string, string> = {},
    command: 'engine' | 'single' = 'engine',
  ): Promise<Restarting> {
    const cli = startMoonwire(t, [command, '-f', file], { env });
    const gateway = new Restarting(cli);
    // Runs before the command is waited for: the others write to its output.
    t.teardown(() => {
      for (const pid of gateway.pids) end(pid);
    });
    await cli.until(/engine \S+ runs/);
    return gateway;
  }

  /** Ids of the processes that were to take over. */
  private get pids(): number[] {
    return [...this.cli.stderr.matchAll(BEGUN)].map(([, pid]) => Number(pid));
  }

  /** Asks the first process for a restart; resolves to the id of the new one. */
  async begin(pid = this.cli.pid): Promise<number> {
    const before = this.pids.length;
    process.kill(pid, 'SIGUSR2');
    return Number((await this.until(BEGUN, before + 1))[1]);
  }

  /** Restarts, and waits until the new process has taken over; resolves to its id. */
  async restart(pid = this.cli.pid): Promise<number> {
    const next = await this.begin(pid);
    await this.until(/has taken over/g, this.pids.length);
    return next;
  }

  /** Waits until any of the processes has written what matches so many times; returns the last match. */
  async until(pattern: RegExp, times = 1): Promise<RegExpMatchArray> {
    for (;;) {
      const found = [...this.cli.stderr.matchAll(pattern)];
      if (found.length >= times) return found[times - 1]!;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** Ends a process at once, if it is there. */
export function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** A TCP device: sends numbered lines, some of them in parts, and checks each answer. */
export class LineDevice {
  sent = 0;
  answered = 0;
  wrong: string | undefined;
  closed = false;
  private rest = '';
  private half = '';
  private wake = (): void => {};

  private constructor(readonly socket: Socket) {
    socket.setEncoding('latin1').on('data', (text: string) => this.take(text));
    socket
      .on('error', () => {})
      .on('close', () => {
        this.closed = true;
        this.wake();
      });
  }

  static async connect(t: Test, port: number): Promise<LineDevice> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    t.teardown(() => socket.destroy());
    await once(socket, 'connect');
    const device = new LineDevice(socket);
    // Once it is answered, it is accepted.
    device.send();
    await device.settle();
    return device;
  }

  /** Ends the line it is in, and begins another one of which the second half is sent with the next. */
  send(): void {
    const line = `${++this.sent} some words of a device\n`;
    const middle = (this.sent * 7) % line.length;
    this.socket.write(this.half + line.slice(0, middle));
    this.half = line.slice(middle);
  }

  /** Sends what is missing of the last line, and waits until all lines are answered or the connection is closed. */
  async settle(): Promise<void> {
    this.socket.write(this.half);
    this.half = '';
    while (this.answered < this.sent && !this.closed && this.wrong === undefined)
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
  }

  private take(text: string): void {
    this.rest += text;
    const lines = this.rest.split('\n');
    this.rest = lines.pop()!;
    for (const line of lines) {
      const n = ++this.answered;
      if (line !== `${n} some words of a device ${n} ${n}`) this.wrong ??= `answer ${n} is ${line}`;
    }
    this.wake();
  }
}

/** A UDP device: two numbered datagrams are under way at a time, so that no buffer of the system overflows. */
export class DatagramDevice {
  answered = 0;
  wrong: string | undefined;
  private sent = 0;
  private running = true;
  private wake = (): void => {};

  private constructor(
    private readonly socket: DatagramSocket,
    private readonly port: number,
  ) {
    socket.on('message', (bytes) => this.take(bytes.toString('latin1')));
  }

  static async connect(t: Test, port: number): Promise<DatagramDevice> {
    const socket = createSocket('udp4').bind(0, '127.0.0.1');
    t.teardown(() => socket.close());
    await once(socket, 'listening');
    const device = new DatagramDevice(socket, port);
    device.send();
    device.send();
    return device;
  }

  /** Resolves when it is answered for the first time. */
  async answer(): Promise<void> {
    while (this.answered === 0)
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
  }

  /** Sends no more; resolves when all is answered. */
  async settle(): Promise<void> {
    this.running = false;
    while (this.answered < this.sent && this.wrong === undefined)
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
  }

  private send(): void {
    this.socket.send(String(++this.sent), this.port, '127.0.0.1');
  }

  private take(text: string): void {
    const n = ++this.answered;
    if (text !== `${n} ${n}`) this.wrong ??= `answer ${n} is ${text}`;
    if (this.running) setTimeout(() => this.running && this.send(), 5);
    this.wake();
  }
}

/** A gateway with these servers and links. */
export async function startedWith(t: Test, api: number, parts: string, files: Record<string, string>) {
  const [mesh] = await freePorts(1);
  const folder = t.testdir(files);
  const file = join(folder, 'x.yaml');
  writeFileSync(
    file,
    `
engine:
  name: kept
  apiServer: { port: ${api} }
  meshPoint: { port: ${mesh} }
${parts.replaceAll('FOLDER', folder)}
store: { path: ${folder}/data }
`,
  );
  return Restarting.start(t, file);
}
