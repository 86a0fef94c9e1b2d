/** The worker's end: runs an engine as the primary says, and takes the connections that it hands over. */

import { deserialize } from 'node:v8';
import type { ApiHost } from '../api/host.js';
import type { ApiMonitor } from '../api/route.js';
import type { Engine } from '../engine/engine.js';
import type { Estate, Heir } from '../engine/handover/estate.js';
import type { Inheritance, SavedEngine } from '../engine/handover/saved.js';
import type { Queues } from '../engine/queues.js';
import { Failure, MoonwireError, messageOf } from '../errors.js';
import type { Logger, LogLevel } from '../log.js';
import type { Handle } from '../transports/handles.js';
import type { SocketSource } from '../transports/streamlistener.js';
import type { RequestHandler } from '../uplink/requests.js';
import { AcceptedSockets } from './accepted.js';
import { Channel, type Port } from './channel.js';
import { ForwardedLog } from './forwarded-log.js';
import { ForwardedQueues } from './forwarded-queues.js';
import { handingOver } from './handing-over.js';
import { passHandle, socketOver } from './handles.js';
import type { FromWorker, ToWorker, WorkerReport, WorkerSetup, WorkerTaken } from './messages.js';
import { workerRequests } from './requests.js';

/** An engine that runs in a worker. */
export interface RunningWorker {
  readonly host: ApiHost;
  readonly monitor: ApiMonitor;
  readonly queues: Queues;
  /** Whether what only works inside still does. */
  alive(): boolean;
  /** It, for another process; `resume` runs it again with its `continuation`. */
  estate(resume: () => Promise<void>): Estate;
  /** It, where it was taken over. */
  heir(inheritance: Inheritance): Heir;
  readonly continuation: WorkerContinuation;
  /** Drains and closes everything; never fails, and ends within seconds. */
  stop(): Promise<void>;
}

/** What goes on, where a worker does not begin anew; see `Continuation` of src/main. */
export interface WorkerContinuation {
  readonly engine?: Engine | undefined;
  readonly inheritance?: Inheritance | undefined;
}

/** Runs an engine whose connections come from `sockets`. */
export type RunWorker = (
  setup: WorkerSetup,
  log: Logger,
  sockets: (server: string) => SocketSource | undefined,
  continuation: WorkerContinuation,
) => Promise<RunningWorker>;

export class WorkerProcess {
  private readonly handlers = new Map<string, RequestHandler>();
  private readonly channel: Channel<FromWorker>;
  private readonly threshold: { level: LogLevel } = { level: 'debug' };
  private readonly servers = new Map<string, AcceptedSockets>();
  /** Ends of what is watched, by the primary's numbers. */
  private readonly watches = new Map<number, () => void>();
  /** What another worker hands over. */
  private readonly handles = new Map<string, Handle>();
  private log!: Logger;
  private setup!: WorkerSetup;
  private heir: Heir | undefined;
  private running: RunningWorker | undefined;
  private starting: Promise<void> | undefined;
  private queues: ForwardedQueues | undefined;

  /** `exit` ends the process with a code. */
  constructor(
    private readonly port: Port & Pick<NodeJS.Process, 'send'>,
    private readonly run: RunWorker,
    private readonly exit: (code: number) => void,
  ) {
    this.channel = new Channel(port, this.handlers);
  }

  /** Takes what the primary says; `handle` comes with `socket`. */
  receive(message: ToWorker, handle: unknown): void {
    switch (message.t) {
      case 'handle':
        this.handles.get(message.name)?.close();
        this.handles.set(message.name, handle as Handle);
        break;
      case 'socket':
        this.accept(message.server, handle);
        break;
      case 'ping':
        this.threshold.level = message.level;
        this.channel.tell({ t: 'pong', report: this.report() });
        break;
      case 'taken':
        this.queues?.taken(message.count);
        break;
      case 'topics':
        this.queues?.consume(message.topics);
        break;
      case 'unwatch':
        this.watches.get(message.watch)?.();
        this.watches.delete(message.watch);
        break;
      case 'start':
        this.threshold.level = message.level;
        this.starting ??= this.start(message.setup, message.saved);
        break;
      case 'stop':
        void this.stop();
        break;
      default:
        this.channel.requests.receive(message);
    }
  }

  private async start(setup: WorkerSetup, saved: Uint8Array | undefined): Promise<void> {
    this.setup = setup;
    for (const [name, bound] of Object.entries(setup.accepted)) {
      const tell = (count: number): unknown => this.channel.tell({ t: 'closed', server: name, count });
      this.servers.set(name, new AcceptedSockets(bound, tell));
    }
    this.log = new ForwardedLog(
      (level, message, fields) => this.channel.offer({ t: 'log', level, message, ...(fields && { fields }) }),
      this.threshold,
    );
    try {
      const inheritance = saved && this.inheritance(saved);
      const running = await this.open({ inheritance });
      this.queues = new ForwardedQueues(running.queues, (queued) =>
        this.channel.tell({ t: 'queue', message: queued }),
      );
      this.handlers.set('trace', (params) => this.watch(params as { id: number; watch: number }));
      for (const [name, handler] of this.handingOver()) this.handlers.set(name, handler);
      const taken = inheritance && this.takeOver(running.heir(inheritance));
      this.channel.tell({ t: 'ready', report: this.report(), ...(taken && { taken }) });
    } catch (error) {
      const { code, where } =
        error instanceof MoonwireError ? error : { code: 'internal' as const, where: undefined };
      this.channel.tell({ t: 'failed', code, text: messageOf(error), where });
      // The message leaves first.
      setImmediate(() => this.exit(1));
    }
  }

  /** Runs the engine, and answers what the primary's API asks of it. */
  private async open(continuation: WorkerContinuation): Promise<RunningWorker> {
    const running = await this.run(this.setup, this.log, (server) => this.servers.get(server), continuation);
    this.running = running;
    for (const [name, handler] of workerRequests(running.host, running.monitor))
      this.handlers.set(name, handler);
    return running;
  }

  private inheritance(saved: Uint8Array): Inheritance {
    return {
      saved: deserialize(saved) as SavedEngine,
      take: (name) => {
        const handle = this.handles.get(name);
        this.handles.delete(name);
        return handle;
      },
    };
  }

  /** All that was handed over is taken; closes what nobody wants. */
  private takeOver(heir: Heir): WorkerTaken {
    for (const handle of this.handles.values()) handle.close();
    this.handles.clear();
    this.heir = heir;
    const open = Object.fromEntries([...this.servers].map(([name, { taken }]) => [name, taken]));
    return { arrived: heir.arrived, refused: heir.refused, open };
  }

  private handingOver(): Map<string, RequestHandler> {
    return handingOver({
      estate: () => {
        const { running } = this;
        return running!.estate(async () => {
          await this.open(running!.continuation);
        });
      },
      renew: (setup) => {
        this.setup = setup;
      },
      send: (name, handle) => passHandle(this.port, { t: 'handle', name }, handle),
      heir: () => this.heir!,
    });
  }

  private async stop(): Promise<void> {
    await this.starting;
    await this.running?.stop();
    this.exit(0);
  }

  private accept(server: string, handle: unknown): void {
    // Before anything else: one that was not got may be handed to another worker.
    this.channel.tell({ t: 'got' });
    const socket = socketOver(handle);
    const source = this.servers.get(server);
    if (source) source.receive(socket);
    else socket.destroy();
  }

  private report(): WorkerReport {
    const { running } = this;
    if (!running) return { node: 0, alive: true, health: { ready: false, reasons: [] } };
    const { ready, reasons } = running.monitor.health();
    return { node: running.host.node, alive: running.alive(), health: { ready, reasons } };
  }

  private async watch({ id, watch }: { id: number; watch: number }): Promise<void> {
    let left = 0;
    const stop = await this.running!.host.trace(
      id,
      (event) => {
        const told = this.channel.offer({
          t: 'event',
          watch,
          event: left > 0 ? { ...event, left_out: left } : event,
        });
        left = told ? 0 : left + 1;
      },
      () => {
        this.watches.delete(watch);
        this.channel.tell({ t: 'ended', watch });
      },
    );
    if (stop instanceof Failure) throw new MoonwireError(stop.code, stop.message);
    this.watches.set(watch, stop);
  }
}
