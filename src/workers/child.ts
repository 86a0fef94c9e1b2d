/** One process of a worker, from its start to its end, as the primary sees it. */

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { MoonwireError } from '../errors.js';
import type { LogLevel } from '../log.js';
import type { Handle } from '../transports/handles.js';
import { Channel } from './channel.js';
import { passHandle, sendHandle } from './handles.js';
import type { FromWorker, ToWorker, WorkerReport, WorkerSetup, WorkerTaken } from './messages.js';

/** A connection that is to be handed to a worker; nothing of it was read. */
export interface PassedSocket {
  readonly socket: Socket;
  /** Name of its server. */
  readonly server: string;
  /** The address of the peer; empty when it has gone already. */
  readonly address: string;
}

/** Connections that may be on their way to one process. */
const MAX_ON_WAY = 1024;
/** A process that can no longer be spoken to is given so long to end by itself. */
const LINGER_MS = 2000;

/** What a process begins with. */
export interface Beginning {
  readonly setup: WorkerSetup;
  readonly level: LogLevel;
  /** What it goes on from, beside handles. */
  readonly saved?: Uint8Array | undefined;
}

/** Told of what a process does. */
export interface ChildOwner {
  /** It serves. `taken`: what it took over, if anything. */
  ready(taken: WorkerTaken | undefined): void;
  /** It got a connection, and those of a server closed; `passed` whose peer was gone count as both. */
  got(passed: PassedSocket): void;
  closed(server: string, count: number): void;
  /** Whatever else it says. */
  told(message: FromWorker): void;
}

export class WorkerChild {
  readonly channel: Channel<ToWorker>;
  /** Connections that it has not got yet, in the order they are sent. */
  readonly onWay: PassedSocket[] = [];
  /** What it last said of itself; undefined until it serves. */
  report: WorkerReport | undefined;
  /** Why it could not start, if it said so. */
  error: MoonwireError | undefined;
  /** Resolves to how it ended, when all that it said has been read. */
  readonly ended: Promise<string>;
  /** When it was started, or said something last, by `performance.now()`. */
  heard = performance.now();
  /** Whether it has said anything yet. */
  spoke = false;
  /** Takes the handles of what it hands over, which are then its own. */
  onHandle = (_name: string, handle: Handle): void => handle.close();
  private readonly child: ChildProcess;
  /** Those of `onWay` that the channel was given. */
  private sent = 0;
  private sending = false;
  private owner!: ChildOwner;

  /**
   * Starts `program` with the argument `worker`; it waits for {@link begin}. `lifeline`: a descriptor that it keeps open
   * as long as it lives.
   */
  constructor(program: string, lifeline?: number) {
    // A debugger's port cannot be had twice.
    const execArgv = process.execArgv.filter((option) => !option.startsWith('--inspect'));
    this.child = fork(program, ['worker'], {
      execArgv,
      serialization: 'advanced',
      stdio: ['ignore', 'inherit', 'inherit', 'ipc', ...(lifeline === undefined ? [] : [lifeline])],
    });
    this.channel = new Channel(this.child);
    this.child.on('message', (message, handle) => this.receive(message as FromWorker, handle));
    this.ended = this.end();
  }

  /** Lets it begin to serve. */
  begin({ setup, level, saved }: Beginning, owner: ChildOwner): void {
    this.owner = owner;
    this.heard = performance.now();
    this.channel.tell({ t: 'start', setup, level, saved });
  }

  /** Sends it a handle of what it is to take over. Rejects when it is gone. */
  pass(name: string, handle: Handle): Promise<void> {
    return passHandle(this.child, { t: 'handle', name }, handle);
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  /** Whether another connection may be given to it. */
  get takes(): boolean {
    return this.report !== undefined && this.onWay.length < MAX_ON_WAY;
  }

  /** Hands a connection over. */
  give(passed: PassedSocket): void {
    this.onWay.push(passed);
    this.sendNext();
  }

  kill(): void {
    this.child.kill('SIGKILL');
  }

  /**
   * Node sends one handle at a time, and holds back all messages behind those that wait for their turn: so it is given
   * the next one only when the channel has taken the last.
   */
  private sendNext(): void {
    const passed = this.onWay[this.sent];
    if (this.sending || !passed || !this.child.connected) return;
    const { socket, server } = passed;
    const taken = (error: Error | null): void => {
      this.sending = false;
      // A channel that broke: the process ends, and the connection goes to another one.
      if (!error) this.sendNext();
    };
    this.sending = sendHandle(this.child, { t: 'socket', server }, socket, taken);
    if (this.sending) {
      this.sent++;
      return;
    }
    this.onWay.splice(this.sent, 1);
    this.owner.got(passed);
    this.owner.closed(server, 1);
    this.sendNext();
  }

  private receive(message: FromWorker, handle: unknown): void {
    this.heard = performance.now();
    this.spoke = true;
    switch (message.t) {
      case 'got':
        this.got();
        break;
      case 'closed':
        this.owner.closed(message.server, message.count);
        break;
      case 'ready':
        this.report = message.report;
        this.owner.ready(message.taken);
        break;
      case 'handle':
        this.onHandle(message.name, handle as Handle);
        break;
      case 'pong':
        if (this.report) this.report = message.report;
        break;
      case 'failed':
        this.error = new MoonwireError(message.code, message.text, message.where);
        break;
      case 'res':
      case 'req':
        this.channel.requests.receive(message);
        break;
      default:
        this.owner.told(message);
    }
  }

  /** It has got the first of those that were sent: our end of it can go. */
  private got(): void {
    const passed = this.onWay.shift()!;
    this.sent--;
    passed.socket.destroy();
    this.owner.got(passed);
  }

  private async end(): Promise<string> {
    const { child } = this;
    const disconnected = once(child, 'disconnect');
    const exited = new Promise<string>((resolve) => {
      child.once('error', (error) => resolve(`it cannot be started: ${error.message}`));
      child.once('exit', (code, signal) => resolve(signal ? `signal ${signal}` : `exit code ${code}`));
    });
    void disconnected.then(() => setTimeout(() => child.kill('SIGKILL'), LINGER_MS).unref());
    const how = await exited;
    // What it said before its end may still have to be read.
    if (child.connected) await disconnected;
    this.report = undefined;
    this.channel.end();
    return how;
  }
}
