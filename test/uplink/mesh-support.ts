import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { LocalClients, Outgoing } from '../../src/engine/mesh.js';
import { Failure } from '../../src/errors.js';
import { silentLogger } from '../../src/log.js';
import { Session, TypedSession } from '../../src/mux/index.js';
import { clientId, nodeOf } from '../../src/store/ids.js';
import { Mesh, type MeshOptions } from '../../src/uplink/mesh.js';
import { MessageStream } from '../../src/uplink/message-stream.js';
import { type Peer, STREAM } from '../../src/uplink/messages.js';
import { Route, type RouteRequests } from '../../src/uplink/routes.js';

/** Clients that keep what they get. */
export class FakeClients implements LocalClients {
  readonly received: { id: number; data: unknown; type: string | undefined }[] = [];
  readonly calls: unknown[] = [];
  readonly channels = new Map<string, Set<number>>();
  readonly clients = new Set<number>();

  deliver(id: number, { data, type }: Outgoing): Failure | undefined {
    if (!this.clients.has(id)) return new Failure(`not_connected: no client ${id}`);
    this.received.push({ id, data, type });
    return undefined;
  }

  fanOut(channel: string, message: Outgoing) {
    const members = [...(this.channels.get(channel) ?? [])];
    const missed = members.filter((id) => this.deliver(id, message)).length;
    return { success: members.length - missed, fail: missed };
  }

  call(id: number, fn: string, args: readonly unknown[]): Failure | undefined {
    if (!this.clients.has(id)) return new Failure(`not_connected: no client ${id}`);
    this.calls.push([id, fn, args]);
    return undefined;
  }
}

/** A key pair as an engine keeps it. */
export function makeKeys() {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  return { privateKey, publicKey: Buffer.from(publicKey.export({ format: 'jwk' }).x!, 'base64url') };
}

/** Quick where a test would wait, patient where a loaded machine would be taken for a dead one. */
const SETTINGS = {
  heartbeat: { intervalMs: 1000, toleranceMs: 30_000 },
  dial: { minBackoffMs: 20, maxBackoffMs: 100, yieldMs: 50, timeoutMs: 10_000 },
  route: { timeoutMs: 10_000 },
} satisfies Partial<MeshOptions>;

/** One engine of a test. */
export class TestNode {
  readonly local = new FakeClients();
  readonly mesh: Mesh;
  readonly keys = makeKeys();

  constructor(
    readonly node: number,
    options: Partial<MeshOptions> = {},
  ) {
    this.mesh = new Mesh({
      self: { name: `engine-${node}`, version: '1', node, ...this.keys },
      local: this.local,
      channels: () => this.local.channels.keys(),
      log: silentLogger,
      point: { host: '127.0.0.1', port: 0 },
      ...SETTINGS,
      ...options,
    });
  }

  /** As the centre names it; `port` of a proxy in front of its mesh point, null: it cannot be reached. */
  peer(port: number | null | undefined = this.mesh.port): Peer {
    const info = { name: `engine-${this.node}`, node: this.node, key: this.keys.publicKey };
    return port ? { ...info, mesh: `127.0.0.1:${port}` } : info;
  }

  client(sequence = 1): number {
    const id = clientId(this.node, sequence);
    this.local.clients.add(id);
    return id;
  }

  subscribe(channel: string, ...ids: number[]): void {
    const members = this.local.channels.get(channel) ?? new Set();
    if (members.size === 0) this.mesh.channelOpened(channel);
    this.local.channels.set(channel, members);
    for (const id of ids) members.add(id);
  }

  unsubscribe(channel: string): void {
    this.local.channels.delete(channel);
    this.mesh.channelClosed(channel);
  }

  path(node: number) {
    return this.mesh.state().find((peer) => peer.node === node)?.path;
  }
}

/** A relay in place of the centre's: sends by node, publishes to all but the sender and those excepted. */
export class StandInRelay {
  /** Milliseconds each request waits here: a long way round. */
  delayMs = 0;
  /** Requests that came, as [type, sender]. */
  readonly seen: [string, number][] = [];
  private readonly routes = new Map<number, Route>();
  private readonly sockets = new Set<Socket>();
  private server: Server | undefined;

  async start(): Promise<void> {
    this.server = createServer((socket) => {
      this.sockets.add(socket);
      const typed = new TypedSession(new Session(socket, { role: 'server' }));
      typed.handle(STREAM.route, (stream) => {
        socket.once('close', () => this.routes.get(node) === route && this.routes.delete(node));
        const node = this.joining.shift()!;
        const route = new Route(new MessageStream(stream), this.relay(node));
        this.routes.set(node, route);
      });
    });
    await once(this.server.listen(0, '127.0.0.1'), 'listening');
  }

  private readonly joining: number[] = [];

  /** Gives a node its route here; resolves when the relay has it too. Returns what cuts it off. */
  async join({ node, mesh }: TestNode): Promise<() => void> {
    const { port } = this.server!.address() as { port: number };
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    const before = this.routes.get(node);
    this.joining.push(node);
    mesh.relay(new TypedSession(new Session(socket, { role: 'client' })).open(STREAM.route));
    await until(() => this.routes.has(node) && this.routes.get(node) !== before);
    return () => socket.destroy();
  }

  cutAll(): void {
    for (const socket of this.sockets) socket.destroy();
    this.sockets.clear();
  }

  stop(): void {
    this.cutAll();
    this.server?.close();
  }

  private relay(sender: number): RouteRequests {
    const away = 'not_connected: that engine is away';
    const later = (kind: string, run: () => void) => {
      this.seen.push([kind, sender]);
      if (this.delayMs > 0) setTimeout(run, this.delayMs);
      else run();
    };
    return {
      send: (client, message, done) =>
        later('send', () => {
          const route = this.routes.get(nodeOf(client));
          if (route) route.send(client, message, done);
          else done(0, 1, away);
        }),
      call: (client, fn, args, done) =>
        later('call', () => {
          const route = this.routes.get(nodeOf(client));
          if (route) route.call(client, fn, args, done);
          else done(0, 1, away);
        }),
      publish: (channel, message, except, done) =>
        later('pub', () => {
          const targets = [...this.routes].filter(([node]) => node !== sender && !except.includes(node));
          let left = targets.length;
          let success = 0;
          let fail = 0;
          if (left === 0) done(0, 0);
          for (const [, route] of targets) {
            route.publish(channel, message, [], (s, f) => {
              success += s;
              fail += f;
              if (--left === 0) done(success, fail);
            });
          }
        }),
    };
  }
}

/** A TCP proxy in front of a port, to cut connections, refuse new ones, or swallow what passes. */
export class CutProxy {
  /** Nothing passes, and nobody is told: a half-open link. */
  dropping = false;
  /** New connections are closed at once. */
  refusing = false;
  private readonly sockets = new Set<Socket>();
  private readonly server: Server;

  constructor(target: () => number) {
    this.server = createServer((near) => {
      if (this.refusing) {
        near.on('error', () => {}).destroy();
        return;
      }
      const far = connect(target(), '127.0.0.1');
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        this.sockets.add(from);
        from.on('error', () => {});
        from.on('data', (bytes) => {
          if (!this.dropping) to.write(bytes);
        });
        from.on('close', () => {
          this.sockets.delete(from);
          if (!this.dropping) to.destroy();
        });
      }
    });
  }

  get port(): number {
    return (this.server.address() as { port: number }).port;
  }

  async start(): Promise<void> {
    await once(this.server.listen(0, '127.0.0.1'), 'listening');
  }

  cut(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  /** Connections through the proxy now. */
  get open(): number {
    return this.sockets.size / 2;
  }

  stop(): void {
    this.cut();
    this.server.close();
  }
}

/** Waits until `condition` holds; a failure says what for. */
export async function until(condition: () => unknown, what = String(condition), ms = 10_000): Promise<void> {
  const end = performance.now() + ms;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`not in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** Two ends of a session over a real socket, and a stream of it at both. */
export async function streamPair(type: number = STREAM.route) {
  const server = createServer();
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const near = connect((server.address() as { port: number }).port, '127.0.0.1');
  const [far] = (await once(server, 'connection')) as [Socket];
  const client = new TypedSession(new Session(near, { role: 'client' }));
  const other = new TypedSession(new Session(far, { role: 'server' }));
  const opened = client.open(type);
  const arrived = await other.accept();
  const stop = () => {
    near.destroy();
    far.destroy();
    server.close();
  };
  return { opened, arrived, near, far, stop };
}
