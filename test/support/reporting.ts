/** A cluster whose engines report what they are told to, and whose centre writes what arrives to a file. */

import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { type Cluster, Node } from './cluster.js';
import { freePorts } from './ports.js';

/** Answers `eco N` and `durable N` with `ok N` once the report is taken, or with the error. */
const SCRIPT = `
function protocol_input(buf) return buf:tostring():find("\\n", 1, true) or 0 end
function protocol_decode(line) return line:sub(1, -2) end
function on_message(line, conn)
  local kind, n = line:match("^(%a+) (%d+)$")
  local ok, err = mix.report("meter", { n = tonumber(n) }, { topic = kind, durable = kind == "durable" })
  conn:send((ok and "ok" or tostring(err)) .. " " .. n .. "\\n")
end
`;

/** Long enough for a loaded machine; reaching it is a failure. */
const PATIENCE_MS = 40_000;

/** A report as the file sink writes it. */
export interface Line {
  readonly id: string;
  readonly engine: string;
  readonly time: number;
  readonly received: number;
  readonly topic: string;
  readonly values: { readonly n: number };
}

/** Makes a prepared cluster, not started yet, one that reports. `outbox`: its settings, as YAML. */
export function reporting(cluster: Cluster, outbox = '{}'): Arrivals {
  const { folder } = cluster;
  writeFileSync(join(folder, 'lua/lines.lua'), SCRIPT);
  const file = join(folder, 'arrived.jsonl');
  appendFileSync(join(folder, 'center.yaml'), `sinks: [{ file: { path: ${file}, rotateAge: 0 } }]\n`);
  for (const [i] of cluster.engines.entries()) {
    const path = join(folder, `engine-${i}.yaml`);
    const text = readFileSync(path, 'utf8');
    writeFileSync(path, text.replace('  servers:\n', `  outbox: ${outbox}\n  servers:\n`));
  }
  return new Arrivals(file);
}

/** One process that reports and delivers what it reports itself; started, and stopped with the test. */
export async function reportingAlone(
  t: Test,
  command: 'engine' | 'single',
): Promise<{ node: Node; arrivals: Arrivals }> {
  const folder = mkdtempSync(join(tmpdir(), 'moonwire-alone-'));
  const [api, mesh, port, registry, centerApi] = (await freePorts(5)) as [
    number,
    number,
    number,
    number,
    number,
  ];
  mkdirSync(join(folder, 'lua'));
  writeFileSync(join(folder, 'lua/lines.lua'), SCRIPT);
  const [file, arrived] = [join(folder, 'node.yaml'), join(folder, 'arrived.jsonl')];
  writeFileSync(
    file,
    `engine:
  name: alone
  outbox: { spillDelay: 0.3 }
  apiServer: { port: ${api} }
  meshPoint: { port: ${mesh} }
  servers: [{ name: lines, port: ${port}, bind: 127.0.0.1, entry: lua/lines.lua }]
center: { registry: { port: ${registry} }, apiServer: { port: ${centerApi} } }
script: { roots: [${join(folder, 'lua')}] }
store: { path: ${join(folder, 'data')} }
sinks: [{ file: { path: ${arrived}, rotateAge: 0 } }]
`,
  );
  const node = new Node('alone', command, file, api, port);
  t.teardown(async () => {
    await node.stop('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });
  await node.start();
  return { node, arrivals: new Arrivals(arrived) };
}

/** What the file has. */
export class Arrivals {
  constructor(private readonly file: string) {}

  /** Whole lines. */
  lines(): Line[] {
    if (!existsSync(this.file)) return [];
    const text = readFileSync(this.file, 'utf8');
    return text
      .slice(0, text.lastIndexOf('\n') + 1)
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Line);
  }

  /** Ids by the number that was reported. */
  byNumber(): Map<number, Set<string>> {
    const found = new Map<number, Set<string>>();
    for (const { id, values } of this.lines())
      found.set(values.n, (found.get(values.n) ?? new Set()).add(id));
    return found;
  }

  /** Waits until all these numbers have arrived. */
  async all(numbers: Iterable<number>): Promise<Map<number, Set<string>>> {
    const wanted = [...numbers];
    for (const deadline = Date.now() + PATIENCE_MS; ; await pause(50)) {
      const found = this.byNumber();
      const missing = wanted.filter((n) => !found.has(n));
      if (missing.length === 0) return found;
      if (Date.now() > deadline) {
        throw new Error(`${missing.length} of ${wanted.length} are missing: ${missing.slice(0, 20)}`);
      }
    }
  }
}

/** Whether each number was delivered as one report. */
export function once(found: Map<number, Set<string>>): boolean {
  return [...found.values()].every(({ size }) => size === 1);
}

/** A device that reports numbers, each once, and connects again when its engine is back. */
export class Reporter {
  /** Numbers for which an `ok` came. */
  readonly taken = new Set<number>();
  readonly refused: string[] = [];
  private next: number;
  private socket: Socket | undefined;
  private text = '';
  private stopped = false;

  /** Numbers begin at `from`; reporters of one cluster must not overlap. */
  constructor(
    t: Test,
    private readonly node: Node,
    readonly kind: 'eco' | 'durable',
    from = 0,
  ) {
    this.next = from;
    t.teardown(() => {
      this.stopped = true;
      this.socket?.destroy();
    });
    this.connect();
  }

  /** Reports one number; returns it. */
  report(): number {
    const n = this.next++;
    this.socket?.write(`${this.kind} ${n}\n`);
    return n;
  }

  /** Reports at a rate until the returned function is called. */
  start(everyMs: number): () => void {
    const timer = setInterval(() => this.report(), everyMs);
    return () => clearInterval(timer);
  }

  /** Reports until so many were taken. */
  async take(count: number): Promise<number[]> {
    const numbers: number[] = [];
    for (const deadline = Date.now() + PATIENCE_MS; numbers.length < count; ) {
      if (Date.now() > deadline) throw new Error(`only ${numbers.length} of ${count} reports were taken`);
      const n = this.report();
      const due = Date.now() + 2000;
      while (!this.taken.has(n) && Date.now() < due) await pause(5);
      if (this.taken.has(n)) numbers.push(n);
    }
    return numbers;
  }

  /** Resolves when all answers of an engine that has ended are in. */
  async gone(): Promise<void> {
    while (this.socket) await pause(5);
  }

  private connect(): void {
    const socket = connect({ port: this.node.port, host: '127.0.0.1', noDelay: true });
    socket.setEncoding('utf8');
    socket.on('connect', () => {
      this.text = '';
      this.socket = socket;
    });
    socket.on('error', () => {});
    socket.on('data', (text: string) => this.receive(text));
    socket.on('close', () => {
      this.socket = undefined;
      if (!this.stopped) setTimeout(() => this.connect(), 50).unref();
    });
  }

  private receive(text: string): void {
    this.text += text;
    const lines = this.text.split('\n');
    this.text = lines.pop()!;
    for (const line of lines) {
      const taken = /^ok (\d+)$/.exec(line);
      if (taken) this.taken.add(Number(taken[1]));
      else this.refused.push(line);
    }
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
