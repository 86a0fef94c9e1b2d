/** A centre and engines as separate processes, as people run them, on free loopback ports. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { Cli, type CliOptions } from './cli.js';
import { Device } from './engine.js';
import { freePorts } from './ports.js';

/** Long enough for a loaded machine; reaching it is a failure. */
const PATIENCE_MS = 30_000;

/** A script of lines: `sub CH`, `unsub CH`, `pub CH TEXT`, `to ID TEXT`, anything else is echoed. */
export const LINES = `
function on_connect(id, conn)
  conn:subscribe("all")
  conn:send("id " .. id .. "\\n")
end
function protocol_input(buf) return buf:tostring():find("\\n", 1, true) or 0 end
function protocol_decode(line) return line:sub(1, -2) end
function protocol_encode(data) return "< " .. tostring(data) .. "\\n" end
function on_message(line, conn)
  local verb, rest = line:match("^(%a+) ?(.*)$")
  if verb == "sub" then conn:send((conn:subscribe(rest) or "ok") .. "\\n")
  elseif verb == "unsub" then conn:unsubscribe(rest) conn:send("ok\\n")
  elseif verb == "pub" then
    local channel, text = rest:match("^(%S+) (.*)$")
    local s, f = mix.mesh.publish(channel, text)
    conn:send("published " .. s .. "/" .. f .. "\\n")
  elseif verb == "to" then
    local id, text = rest:match("^(%S+) (.*)$")
    conn:send((mix.mesh.send(id, text) or "sent") .. "\\n")
  elseif verb == "wait" then conn:send("is " .. conn:wait_context_value(rest) .. "\\n")
  elseif verb == "time" then conn:send(string.format("%.0f\\n", mix.now()))
  elseif verb == "push" then
    local n, err = mix.queue.push("work", rest)
    conn:send((n or err) .. "\\n")
  else conn:send(line .. "\\n") end
end
`;

/** A client of the script above, with its id. */
export async function joinLines(t: Test, node: Node): Promise<Device & { id: string }> {
  const device = await Device.connect(node.port);
  t.teardown(() => device.socket.destroy());
  const text = await device.until((received) => received.includes('\n'));
  return Object.assign(device, { id: text.slice(3, text.indexOf('\n')) });
}

/** Publishes from a client until so many are reached: who has subscribers travels a moment behind. */
export async function publishTo(device: Device, count: number, text: string): Promise<void> {
  for (const deadline = Date.now() + PATIENCE_MS; Date.now() < deadline; await pause(50)) {
    const from = device.text.length;
    device.send(`pub all ${text}\n`);
    const answer = /published (\d+)\/(\d+)\n/;
    await device.until((received) => answer.test(received.slice(from)));
    if (Number(answer.exec(device.text.slice(from))![1]) === count) return;
  }
  throw new Error(`a publish did not reach ${count}: ${device.text.slice(-200)}`);
}

/** One process of a cluster. */
export class Node {
  cli: Cli | undefined;

  constructor(
    readonly name: string,
    private readonly command: 'center' | 'engine' | 'single',
    private readonly file: string,
    /** Port of its API. */
    readonly api: number,
    /** Port of its device server; of the registry at a centre. */
    readonly port: number,
    private readonly options: CliOptions = {},
  ) {}

  /** Starts the process and waits until its API says that it is ready, unless `ready` is false. */
  async start(ready = true): Promise<void> {
    this.cli = new Cli([this.command, '-f', this.file], this.options);
    if (ready) await this.until('/readyz', () => true);
  }

  /** Ends the process and waits for that. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (this.cli?.running) await this.cli.stop(signal);
  }

  /** A request to its API. */
  async request(method: string, path: string, body?: unknown): Promise<{ status: number; body: unknown }> {
    const response = await fetch(`http://127.0.0.1:${this.api}${path}`, {
      method,
      ...(body !== undefined && {
        body: JSON.stringify(body),
        headers: { 'content-type': 'application/json' },
      }),
    });
    const text = await response.text();
    return {
      status: response.status,
      body: text.startsWith('{') || text.startsWith('[') ? JSON.parse(text) : text,
    };
  }

  async get<T>(path: string): Promise<T> {
    return (await this.request('GET', path)).body as T;
  }

  async post<T>(path: string, body: unknown): Promise<T> {
    return (await this.request('POST', path, body)).body as T;
  }

  /** Asks its API until the answer fulfils `condition`. */
  async until<T>(path: string, condition: (body: T) => boolean): Promise<T> {
    const deadline = Date.now() + PATIENCE_MS;
    let last: unknown;
    for (;;) {
      try {
        const answer = await this.request('GET', path);
        last = answer.body;
        if (answer.status === 200 && condition(last as T)) return last as T;
      } catch (error) {
        last = String((error as Error).cause ?? error);
      }
      if (!this.cli?.running) throw new Error(`${this.name} ended:\n${this.cli?.stderr}`);
      if (Date.now() > deadline) {
        throw new Error(`${this.name}${path} gave ${JSON.stringify(last)}\n${this.cli.stderr.slice(-3000)}`);
      }
      await pause(50);
    }
  }
}

export class Cluster {
  private constructor(
    readonly folder: string,
    readonly center: Node,
    readonly engines: Node[],
  ) {}

  /** Writes configurations for a centre and engines; `registry` lets an engine reach the centre by another port. */
  static async prepare(
    t: Test,
    engines: number,
    how: {
      registry?: (port: number, engine: number) => Promise<number>;
      engine?: string;
      env?: CliOptions['env'];
    } = {},
  ): Promise<Cluster> {
    const folder = mkdtempSync(join(tmpdir(), 'moonwire-cluster-'));
    mkdirSync(join(folder, 'lua'));
    writeFileSync(join(folder, 'lua/lines.lua'), LINES);
    const [registry, centerApi, ...free] = (await freePorts(2 + 3 * engines)) as [
      number,
      number,
      ...number[],
    ];
    const centerFile = join(folder, 'center.yaml');
    writeFileSync(
      centerFile,
      `center: { registry: { port: ${registry} }, apiServer: { port: ${centerApi} }, joinToken: secret }
store: { path: ${join(folder, 'center')} }
`,
    );
    const center = new Node(
      'center',
      'center',
      centerFile,
      centerApi,
      registry,
      how.env ? { env: how.env } : {},
    );
    const nodes: Node[] = [];
    for (let i = 0; i < engines; i++) {
      const [api, mesh, port] = free.splice(0, 3) as [number, number, number];
      const file = join(folder, `engine-${i}.yaml`);
      const reached = (await how.registry?.(registry, i)) ?? registry;
      writeFileSync(
        file,
        `engine:
  name: engine-${i}
  centerRegistry: 127.0.0.1:${reached}
  joinToken: secret
  heartbeat: { interval: 1s, tolerance: 1s }
  apiServer: { port: ${api} }
  meshPoint: { port: ${mesh} }
  servers:
    - { name: lines, port: ${port}, bind: 127.0.0.1, entry: lua/lines.lua, limits: { idleSeconds: 0 } }
${how.engine ?? ''}
script: { roots: [${join(folder, 'lua')}] }
store: { path: ${join(folder, `data-${i}`)} }
`,
      );
      nodes.push(new Node(`engine-${i}`, 'engine', file, api, port, how.env ? { env: how.env } : {}));
    }
    const cluster = new Cluster(folder, center, nodes);
    t.teardown(() => cluster.stop());
    return cluster;
  }

  /** Starts everything and waits until the centre has all engines. */
  async start(): Promise<void> {
    await Promise.all([this.center.start(), ...this.engines.map((engine) => engine.start())]);
    await this.joined(this.engines.length);
  }

  /** Waits until the centre has so many connected engines. */
  async joined(count: number): Promise<void> {
    await this.center.until<{ engines: { connected: boolean }[] }>(
      '/v1/engines',
      ({ engines }) => engines.filter(({ connected }) => connected).length === count,
    );
  }

  async stop(): Promise<void> {
    await Promise.all([this.center, ...this.engines].map((node) => node.stop('SIGKILL')));
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
