/**
 * Commands to devices (design §6, §9): on disk before they are accepted, sent in order and one at a time to each
 * device wherever it is attached, with what became of them.
 */

import { MoonwireError, messageOf } from '../errors.js';
import { type Logger, LogThrottle } from '../log.js';
import type { MuxStream } from '../mux/index.js';
import type { DurableMap } from '../store/store.js';
import type { CmdMessage, StateMessage } from '../uplink/messages.js';
import { Command, type CommandView } from './command.js';
import { type BookLimits, CommandBook, type CommandFilter } from './command-book.js';
import { CommandLink } from './command-link.js';
import { type CommandRequest, checkRequest, codeOf, isSame, resultOf } from './command-request.js';
import { CommandStore } from './command-store.js';

/** A command with all there is to say of it. */
export interface CommandDetail extends CommandView {
  readonly params: unknown;
  readonly result: unknown;
}

/** Bounds and times. */
export interface CommandLimits extends BookLimits {
  /** Seconds that an engine may be away before what was sent to it, and has expired, is unknown. */
  readonly awaySeconds: number;
  /** Milliseconds between two looks at what has expired or is to be tried again. */
  readonly tickMs: number;
}

/** What the commands use. */
export interface CommandParts {
  readonly map: DurableMap;
  readonly log: Logger;
  /** The node of the engine at which a device is attached. */
  nodeOf(device: string): number | undefined;
}

/** Rising for ever; names are metric labels. */
export interface CommandCounters {
  accepted: number;
  /** Requests whose key was known. */
  repeated: number;
  sent: number;
  done: number;
  failed: number;
  unknown: number;
  expired: number;
  cancelled: number;
  /** Given back by an engine that had not begun them. */
  returned: number;
  /** States of commands that the engine does not have, or that have ended already. */
  strange: number;
}

/** Milliseconds until a command that was given back, or that the disk refused, is tried again; doubled each time. */
const RETRY_MS = 500;
const MAX_RETRY_MS = 30_000;
/** How far the clocks of engines may differ from ours, in seconds, for their times to be taken. */
const CLOCK_SECONDS = 60;
const DEFAULTS: CommandLimits = {
  perDevice: 100,
  ended: 100_000,
  maxAge: 7 * 86_400,
  awaySeconds: 60,
  tickMs: 1000,
};

export class Commands {
  readonly counters: CommandCounters = {
    accepted: 0,
    repeated: 0,
    sent: 0,
    done: 0,
    failed: 0,
    unknown: 0,
    expired: 0,
    cancelled: 0,
    returned: 0,
    strange: 0,
  };
  private readonly book: CommandBook;
  private readonly links = new Map<number, CommandLink>();
  /** Since when engines are away that were here, in milliseconds of `performance.now()`. */
  private readonly awaySince = new Map<number, number>();
  private readonly began = performance.now();
  private readonly adding = new Map<Command, Promise<void>>();
  private readonly limits: CommandLimits;
  private readonly log: Logger;
  private readonly throttle = new LogThrottle();
  private readonly timer: NodeJS.Timeout;

  constructor(
    private readonly parts: CommandParts,
    limits: Partial<CommandLimits> = {},
  ) {
    this.limits = { ...DEFAULTS, ...limits };
    this.log = parts.log;
    this.book = new CommandBook(new CommandStore(parts.map, parts.log), this.limits, parts.log);
    this.timer = setInterval(() => this.tick(), this.limits.tickMs).unref();
  }

  // -- For those who command ------------------------------------------------------------------------------------

  /**
   * Takes a command; resolves once it is on disk, to the first one where the key is known. Rejects with
   * `invalid_argument`, `too_large`, `conflict` for a key of another command, `queue_full`, `overloaded` while the
   * disk refuses.
   */
  async submit(device: string, request: CommandRequest): Promise<CommandDetail> {
    const { name, params, ttl, key, idempotent } = checkRequest(device, request);
    const known = key === undefined ? undefined : this.book.ofKey(key);
    if (known) {
      const { order } = known;
      const same =
        order.device === device &&
        order.name === name &&
        order.idempotent === idempotent &&
        isSame(this.book.params(known), params);
      if (!same) throw new MoonwireError('conflict', 'another command has this key', 'idempotencyKey');
      this.counters.repeated++;
      // As safe as the first answer says.
      await this.adding.get(known);
      return this.detail(known);
    }
    const created = Date.now() / 1000;
    const id = this.book.newId();
    const command = new Command({ id, device, name, created, expires: created + ttl, idempotent, key });
    const adding = this.book.add(command, params);
    this.adding.set(command, adding);
    try {
      await adding;
    } finally {
      this.adding.delete(command);
    }
    this.counters.accepted++;
    this.pump(device);
    return this.detail(command);
  }

  /** Takes a command back that was not sent yet. Rejects with `not_found`, `conflict`, `overloaded`. */
  async cancel(id: string): Promise<CommandDetail> {
    const command = this.find(id);
    if (command.state === 'cancelled') {
      // That may be on its way to the disk, or the disk may have refused it.
      await this.book.settled(command);
    } else if (command.state === 'queued' && !command.busy) {
      await this.end(command, { state: 'cancelled' });
    } else {
      throw new MoonwireError('conflict', `it is ${command.state} already`);
    }
    return this.detail(command);
  }

  /** Throws `not_found`. */
  get(id: string): CommandDetail {
    return this.detail(this.find(id));
  }

  /** At most `limit` commands that fit, by rising id, those after `after`; and whether there are more. */
  list(filter: CommandFilter, limit: number, after?: string): { items: CommandDetail[]; more: boolean } {
    const items: CommandDetail[] = [];
    for (const command of this.book.list(filter, after)) {
      if (items.length === limit) return { items, more: true };
      items.push(this.detail(command));
    }
    return { items, more: false };
  }

  /** Is told of new commands and changes of state, until the returned function is called. */
  watch(watcher: (command: CommandView) => void): () => void {
    this.book.watchers.add(watcher);
    return () => this.book.watchers.delete(watcher);
  }

  /** A command's view with its parameters and its result. */
  detailOf(view: CommandView): CommandDetail | undefined {
    const command = this.book.get(view.id);
    return command && this.detail(command, view);
  }

  /** How many there are in each state. */
  counts(): Record<string, number> {
    return this.book.counts();
  }

  // -- For the centre -------------------------------------------------------------------------------------------

  /** Takes the stream that an engine opened for commands. */
  attach({ node, name }: { readonly node: number; readonly name: string }, stream: MuxStream): void {
    this.links.get(node)?.close();
    const link = new CommandLink(node, name, stream, {
      received: (from, message) => void this.receive(from, message),
      closed: (ended) => this.detach(ended),
    });
    this.links.set(node, link);
    this.awaySince.delete(node);
    for (const [device, [head]] of this.book.open()) {
      if (head!.state === 'sent' && head!.progress.node === node && !head!.busy) this.transmit(link, head!);
      else this.pump(device);
    }
  }

  /** A device has been attached at an engine. */
  deviceAttached(device: string): void {
    const [head] = this.book.queueOf(device);
    if (!head) return;
    head.notBefore = 0;
    this.pump(device);
  }

  /** An engine will not come back: what was sent to it is unknown. */
  engineForgotten(node: number): void {
    for (const [, [head]] of [...this.book.open()]) {
      if (head!.state === 'sent' && head!.progress.node === node) {
        this.lose(head!, 'not_found: its engine was removed');
      }
    }
  }

  /** Sends nothing more. */
  stop(): void {
    clearInterval(this.timer);
  }

  // -- Sending --------------------------------------------------------------------------------------------------

  private detach(link: CommandLink): void {
    if (this.links.get(link.node) !== link) return;
    this.links.delete(link.node);
    this.awaySince.set(link.node, performance.now());
  }

  /** Sends the oldest command of a device, if it can be. */
  private pump(device: string): void {
    const [head] = this.book.queueOf(device);
    if (!head?.stored || head.busy) return;
    const node = this.parts.nodeOf(device);
    if (head.state === 'sent') {
      // What may be done twice need not wait for an engine that is away, while another has the device.
      const elsewhere = node !== undefined && node !== head.progress.node && this.links.has(node);
      if (elsewhere && head.order.idempotent && !this.links.has(head.progress.node)) {
        void this.requeue(head, 'not_connected: its engine is away, and the device is attached elsewhere');
      }
      return;
    }
    if (performance.now() < head.notBefore || Date.now() / 1000 >= head.order.expires) return;
    const link = node === undefined ? undefined : this.links.get(node);
    if (link) void this.dispatch(head, link);
  }

  /** Sends a command, once it is on disk that it was. Never rejects. */
  private async dispatch(command: Command, { node, name }: CommandLink): Promise<void> {
    const { attempts } = command.progress;
    const sent = Date.now() / 1000;
    try {
      const progress = { node, engine: name, sent, attempts: attempts + 1, error: undefined };
      await this.book.change(command, { state: 'sent', ...progress });
    } catch (error) {
      await this.requeue(command, `${codeOf(error)}: ${messageOf(error)}`);
      return;
    }
    this.counters.sent++;
    // The engine may have come back over another session meanwhile.
    const link = this.links.get(node);
    if (link) this.transmit(link, command);
    else await this.requeue(command, 'not_connected: its engine went away before it was sent');
  }

  private transmit(link: CommandLink, command: Command): void {
    const { id, device, name, expires, idempotent } = command.order;
    link.send((): CmdMessage | undefined => {
      if (command.state !== 'sent' || command.progress.node !== link.node) return undefined;
      const params = this.book.params(command);
      const late = Date.now() / 1000 >= expires;
      return { t: 'cmd', id, device, name, params, expires, idempotent, ...(late && { late }) };
    });
  }

  /** Puts a command back that was not begun, or may be done twice, to be tried again after a while. Never rejects. */
  private async requeue(command: Command, error: string): Promise<boolean> {
    command.notBefore = performance.now() + Math.min(MAX_RETRY_MS, RETRY_MS * 2 ** command.returned++);
    try {
      await this.book.change(command, { state: 'queued', node: 0, engine: '', error });
      return true;
    } catch (failure) {
      this.failed(failure);
      return false;
    }
  }

  /** An engine says what became of a command. Never rejects. */
  private async receive(link: CommandLink, message: StateMessage): Promise<void> {
    const { id, state, error } = message;
    const command = this.book.get(id);
    if (!command) {
      this.counters.strange++;
      link.kept(id);
      return;
    }
    const { order, progress } = command;
    if (command.state !== 'sent' || progress.node !== link.node || command.busy) {
      this.counters.strange++;
      // It may have been told before, and the answer lost. What is on its way to the disk will be answered then.
      if (!command.busy && (await this.isSettled(command))) link.kept(id);
      return;
    }
    const again = state === 'unknown' && order.idempotent && Date.now() / 1000 < order.expires;
    let kept: boolean;
    if (state === 'queued' || again) {
      this.counters.returned++;
      kept = await this.requeue(command, error ?? 'unknown: its engine ended before it did');
    } else {
      const value = message.result === undefined ? {} : resultOf(message.result);
      kept = await this.end(
        command,
        { state, error: error ?? value.error, ended: this.timeOf(command, message.at) },
        value.result,
      ).then(
        () => true,
        () => false,
      );
    }
    if (kept) link.kept(id);
    this.pump(order.device);
  }

  /** The end of a command; resolves and rejects as `CommandBook.change` does. */
  private async end(
    command: Command,
    change: {
      state: 'done' | 'failed' | 'unknown' | 'expired' | 'cancelled';
      error?: string | undefined;
      ended?: number;
    },
    result?: unknown,
  ): Promise<void> {
    this.counters[change.state]++;
    const { device } = command.order;
    try {
      const { error, ended = Date.now() / 1000 } = change;
      await this.book.change(command, { ...change, error, ended }, result);
    } catch (error) {
      this.failed(error);
      throw error;
    } finally {
      this.pump(device);
    }
  }

  /** Nobody knows what became of a command, nor will. */
  private lose(command: Command, error: string): void {
    const { idempotent, expires } = command.order;
    if (idempotent && Date.now() / 1000 < expires) void this.requeue(command, error);
    else this.end(command, { state: 'unknown', error }).catch(() => {});
  }

  private async isSettled(command: Command): Promise<boolean> {
    try {
      await this.book.settled(command);
      return true;
    } catch {
      return false;
    }
  }

  // -- As time goes by ------------------------------------------------------------------------------------------

  /** Looks at open commands. */
  private tick(): void {
    const now = Date.now() / 1000;
    this.book.dropOld();
    for (const [device, commands] of [...this.book.open()]) {
      for (const command of commands) {
        if (command.busy || !command.stored || now < command.order.expires) continue;
        if (command.state === 'queued') this.end(command, { state: 'expired' }).catch(() => {});
        else if (this.isLost(command)) this.lose(command, 'not_connected: its engine has been away since');
      }
      this.pump(device);
    }
  }

  /** Whether the engine that has a command has been away for long. */
  private isLost({ progress: { node } }: Command): boolean {
    if (this.links.has(node)) return false;
    const since = this.awaySince.get(node) ?? this.began;
    return performance.now() - since > this.limits.awaySeconds * 1000;
  }

  /** When a command ended, as its engine says, unless its clock is wrong. */
  private timeOf({ order }: Command, at: number): number {
    const now = Date.now() / 1000;
    return at > order.created - CLOCK_SECONDS && at < now + CLOCK_SECONDS ? at : now;
  }

  private find(id: string): Command {
    const command = this.book.get(id);
    if (!command) throw new MoonwireError('not_found', `no command ${id}`);
    return command;
  }

  private detail(command: Command, view = command.view()): CommandDetail {
    return { ...view, params: this.book.params(command), result: this.book.result(command) };
  }

  private failed(error: unknown): void {
    const suppressed = this.throttle.pass('disk');
    if (suppressed < 0) return;
    this.log.error('the state of a command is not on disk', { reason: messageOf(error), suppressed });
  }
}
