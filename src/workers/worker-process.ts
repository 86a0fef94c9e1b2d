/** The worker's end: runs an engine as the primary says, and takes the connections that it hands over. */

import type { ApiHost } from '../api/host.js';
import type { ApiMonitor } from '../api/route.js';
import type { Queues } from '../engine/queues.js';
import { Failure, MoonwireError, messageOf } from '../errors.js';
import type { Logger, LogLevel } from '../log.js';
import type { SocketSource } from '../transports/streamlistener.js';
import type { RequestHandler } from '../uplink/requests.js';
import { AcceptedSockets } from './accepted.js';
import { Channel, type Port } from './channel.js';
import { ForwardedLog } from './forwarded-log.js';
import { ForwardedQueues } from './forwarded-queues.js';
import { socketOver } from './handles.js';
import type { FromWorker, ToWorker, WorkerReport, WorkerSetup } from './messages.js';
import { workerRequests } from './requests.js';

/** An engine that runs in a worker. */
export interface RunningWorker {
  readonly host: ApiHost;
  readonly monitor: ApiMonitor;
  readonly queues: Queues;
  /** Whether what only works inside still does. */
  alive(): boolean;
  /** Drains and closes everything; never fails, and ends within seconds. */
  stop(): Promise<void>;
}

/** Runs an engine whose connections come from `sockets`. */
export type RunWorker = (
  setup: WorkerSetup,
  log: Logger,
  sockets: (server: string) => SocketSource | undefined,
) => Promise<RunningWorker>;

export class WorkerProcess {
  private readonly handlers = new Map<string, RequestHandler>();
  private readonly channel: Channel<FromWorker>;
  private readonly threshold: { level: LogLevel } = { level: 'debug' };
  private readonly servers = new Map<string, AcceptedSockets>();
  /** Ends of what is watched, by the primary's numbers. */
  private readonly watches = new Map<number, () => void>();
  private running: RunningWorker | undefined;
  private starting: Promise<void> | undefined;
  private queues: ForwardedQueues | undefined;

  /** `exit` ends the process with a code. */
  constructor(
    port: Port,
    private readonly run: RunWorker,
    private readonly exit: (code: number) => void,
  ) {
    this.channel = new Channel(port, this.handlers);
  }

  /** Takes what the primary says; `handle` comes with `socket`. */
  receive(message: ToWorker, handle: unknown): void {
    switch (message.t) {
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
        this.starting ??= this.start(message.setup);
        break;
      case 'stop':
        void this.stop();
        break;
      default:
        this.channel.requests.receive(message);
    }
  }

  private async start(setup: WorkerSetup): Promise<void> {
    for (const [name, bound] of Object.entries(setup.accepted)) {
      const tell = (count: number): unknown => this.channel.tell({ t: 'closed', server: name, count });
      this.servers.set(name, new AcceptedSockets(bound, tell));
    }
    const log = new ForwardedLog(
      (level, message, fields) => this.channel.offer({ t: 'log', level, message, ...(fields && { fields }) }),
      this.threshold,
    );
    try {
      const running = await this.run(setup, log, (server) => this.servers.get(server));
      this.running = running;
      this.queues = new ForwardedQueues(running.queues, (queued) =>
        this.channel.tell({ t: 'queue', message: queued }),
      );
      for (const [name, handler] of workerRequests(running.host, running.monitor))
        this.handlers.set(name, handler);
      this.handlers.set('trace', (params) => this.watch(params as { id: number; watch: number }));
      this.channel.tell({ t: 'ready', report: this.report() });
    } catch (error) {
      const { code, where } =
        error instanceof MoonwireError ? error : { code: 'internal' as const, where: undefined };
      this.channel.tell({ t: 'failed', code, text: messageOf(error), where });
      // The message leaves first.
      setImmediate(() => this.exit(1));
    }
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
