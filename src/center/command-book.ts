/** All commands of the centre: in the order they came, by device, by the requester's key; kept on disk. */

import { randomBytes } from 'node:crypto';
import { MoonwireError, messageOf } from '../errors.js';
import type { Logger } from '../log.js';
import type { Command, CommandProgress, CommandState, CommandView } from './command.js';
import { codeOf } from './command-request.js';
import type { CommandStore } from './command-store.js';

/** Which commands are meant; what is left out means any. */
export interface CommandFilter {
  readonly device?: string | undefined;
  readonly state?: CommandState | undefined;
}

/** Bounds of what is kept. */
export interface BookLimits {
  /** Open commands of one device. */
  readonly perDevice: number;
  /** Commands that have ended. */
  readonly ended: number;
  /** Seconds one that has ended is kept. */
  readonly maxAge: number;
}

/** Ended commands that are dropped at a time to make room. */
const DROPPED_AT_ONCE = 16;

export class CommandBook {
  /** Told of each new command and each change of state, once it is on disk or the disk has refused it. */
  readonly watchers = new Set<(command: CommandView) => void>();
  /** Ended commands dropped before their age, to make room. */
  dropped = 0;
  private readonly byId = new Map<string, Command>();
  private readonly byKey = new Map<string, Command>();
  /** Open commands of each device, the oldest first. */
  private readonly queues = new Map<string, Command[]>();
  /** Those that have ended, the first first. */
  private readonly ended = new Set<Command>();
  /** The time in the newest id, in milliseconds. */
  private lastTime = 0;

  constructor(
    private readonly store: CommandStore,
    private readonly limits: BookLimits,
    private readonly log: Logger,
  ) {
    const commands = store.load();
    for (const command of commands) this.index(command);
    const ended = commands.filter((command) => !command.isOpen);
    const endOf = ({ progress, order }: Command): number => progress.ended ?? order.created;
    for (const command of ended.sort((a, b) => endOf(a) - endOf(b))) this.ended.add(command);
  }

  /** An id that was never given and sorts behind all others: 12 hexadecimal digits of time, 8 at random. */
  newId(): string {
    this.lastTime = Math.max(Date.now(), this.lastTime + 1);
    return this.lastTime.toString(16).padStart(12, '0') + randomBytes(4).toString('hex');
  }

  get(id: string): Command | undefined {
    return this.byId.get(id);
  }

  ofKey(key: string): Command | undefined {
    return this.byKey.get(key);
  }

  /** Devices with open commands, and these, the oldest first. */
  open(): Iterable<readonly [device: string, commands: readonly Command[]]> {
    return this.queues;
  }

  /** The open commands of a device, the oldest first. */
  queueOf(device: string): readonly Command[] {
    return this.queues.get(device) ?? [];
  }

  /** How many there are in each state. */
  counts(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const { state } of this.byId.values()) counts[state] = (counts[state] ?? 0) + 1;
    return counts;
  }

  /** Commands that fit, by rising id, those after `after`. */
  *list({ device, state }: CommandFilter, after = ''): Generator<Command> {
    for (const command of this.byId.values()) {
      if (command.order.id <= after) continue;
      if (device !== undefined && command.order.device !== device) continue;
      if (state !== undefined && command.state !== state) continue;
      yield command;
    }
  }

  /**
   * Takes in a new command; resolves when it is on disk. Rejects with `queue_full`, or `overloaded` while the disk
   * refuses, and then it is as if it had never been.
   */
  async add(command: Command, params: unknown): Promise<void> {
    const { id, device } = command.order;
    if (this.queueOf(device).length >= this.limits.perDevice) {
      throw new MoonwireError('queue_full', `${this.limits.perDevice} commands wait for this device already`);
    }
    this.dropOld();
    const stored = this.making(() => this.store.add(command, params));
    this.index(command);
    try {
      await stored;
    } catch (error) {
      this.remove(command);
      this.store.drop(id);
      throw error;
    }
    command.stored = true;
    this.announce(command.view());
  }

  /** Changes how a command stands; resolves when that is on disk. Rejects while the disk refuses: it holds all the same. */
  async change(command: Command, change: Partial<CommandProgress>, result?: unknown): Promise<void> {
    command.progress = { ...command.progress, ...change };
    if (!command.isOpen) {
      this.dequeue(command);
      this.ended.add(command);
    }
    command.busy = true;
    try {
      await this.save(command, result);
    } finally {
      command.busy = false;
      this.announce(command.view());
    }
  }

  /** Resolves when how a command stands is on disk. */
  settled({ order }: Command): Promise<void> {
    return this.store.settled(order.id);
  }

  params({ order }: Command): unknown {
    return this.store.params(order.id);
  }

  result({ order }: Command): unknown {
    return this.store.result(order.id);
  }

  /** Drops what ended long ago, and what is too much. */
  dropOld(): void {
    const { ended: most, maxAge } = this.limits;
    const oldest = Date.now() / 1000 - maxAge;
    for (const command of this.ended) {
      const old = (command.progress.ended ?? 0) < oldest;
      if (!old && this.ended.size <= most) return;
      if (!old) this.dropped++;
      this.drop(command);
    }
  }

  /** A result for which there is no room is left out. */
  private save(command: Command, result: unknown): Promise<void> {
    try {
      return this.making(() => this.store.save(command, result));
    } catch (error) {
      const { id } = command.order;
      this.log.warn('the result of a command is left out', { id, reason: messageOf(error) });
      const reason = `${codeOf(error)}: its result is left out`;
      command.progress = { ...command.progress, error: command.progress.error ?? reason };
      return this.store.save(command);
    }
  }

  /** Does what needs room in the store, which ended commands give way for. */
  private making<T>(write: () => T): T {
    for (;;) {
      try {
        return write();
      } catch (error) {
        const full = error instanceof MoonwireError && ['queue_full', 'too_large'].includes(error.code);
        const victims = full ? [...this.ended].filter(({ busy }) => !busy).slice(0, DROPPED_AT_ONCE) : [];
        if (victims.length === 0) throw error;
        this.dropped += victims.length;
        for (const victim of victims) this.drop(victim);
      }
    }
  }

  private index(command: Command): void {
    const { id, key, device } = command.order;
    this.byId.set(id, command);
    this.lastTime = Math.max(this.lastTime, Number.parseInt(id.slice(0, 12), 16));
    if (key !== undefined) this.byKey.set(key, command);
    if (!command.isOpen) return;
    const queue = this.queues.get(device);
    if (queue) queue.push(command);
    else this.queues.set(device, [command]);
  }

  private dequeue(command: Command): void {
    const { device } = command.order;
    const queue = this.queueOf(device).filter((each) => each !== command);
    if (queue.length > 0) this.queues.set(device, queue);
    else this.queues.delete(device);
  }

  private drop(command: Command): void {
    this.remove(command);
    this.store.drop(command.order.id);
  }

  private remove(command: Command): void {
    const { id, key } = command.order;
    this.byId.delete(id);
    if (key !== undefined) this.byKey.delete(key);
    this.dequeue(command);
    this.ended.delete(command);
  }

  private announce(view: CommandView): void {
    for (const watcher of this.watchers) watcher(view);
  }
}
