/** Commands on disk: an entry for what never changes, with the parameters; another for how it stands, with the result. */

import { cborCodec } from '../codecs/cbor.js';
import { MoonwireError, messageOf } from '../errors.js';
import type { Logger } from '../log.js';
import type { DurableMap } from '../store/store.js';
import { COMMAND_STATES, Command, type CommandOrder, type CommandProgress } from './command.js';

const CBOR = cborCodec();
const ORDER = 'o/';
const PROGRESS = 'p/';
/** What an entry costs beside its value: its key, and what the map counts for each. */
const ENTRY_BYTES = 100;
/** New commands leave this part of the map to the results of others. */
const RESERVED = 0.25;

interface StoredOrder extends CommandOrder {
  readonly params: unknown;
}

interface StoredProgress extends CommandProgress {
  readonly result?: unknown;
}

/** The commands of a centre on disk. */
export class CommandStore {
  private bytes = 0;

  constructor(
    private readonly map: DurableMap,
    private readonly log: Logger,
  ) {}

  /** All commands, by rising id. What cannot be read is logged and dropped. */
  load(): Command[] {
    const keys = [...this.map.keys()].sort();
    const commands: Command[] = [];
    for (const key of keys) {
      if (!key.startsWith(ORDER)) continue;
      const id = key.slice(ORDER.length);
      try {
        const { params: _, ...order } = this.order(id);
        const command = new Command({ ...order, id, key: order.key ?? undefined });
        command.stored = true;
        if (this.map.get(PROGRESS + id)) {
          const { result: __, ...progress } = this.progress(id)!;
          if (!COMMAND_STATES.includes(progress.state)) throw new Error(`state ${progress.state}`);
          command.progress = progress;
        }
        commands.push(command);
      } catch (error) {
        this.log.error('a command cannot be read and is dropped', { id, reason: messageOf(error) });
        this.drop(id);
      }
    }
    const known = new Set(commands.map(({ order }) => order.id));
    for (const key of keys) {
      const id = key.slice(PROGRESS.length);
      if (key.startsWith(PROGRESS) && !known.has(id)) this.drop(id);
    }
    this.bytes = 0;
    for (const key of this.map.keys()) this.bytes += this.costOf(key);
    return commands;
  }

  /** Puts a new command on disk; resolves when it is there. Throws `queue_full` when there is no room for more. */
  add({ order }: Command, params: unknown): Promise<void> {
    const value = CBOR.encode({ ...order, params });
    const { maxBytes } = this.map;
    if (this.bytes + value.length + 2 * ENTRY_BYTES > maxBytes * (1 - RESERVED)) {
      throw new MoonwireError('queue_full', 'the store has no room for more commands');
    }
    return this.set(ORDER + order.id, value);
  }

  /**
   * Puts on disk how a command stands; resolves when it is there, rejects with `overloaded` while the disk refuses.
   * Throws `too_large` when there is no room.
   */
  save({ order, progress }: Command, result?: unknown): Promise<void> {
    return this.set(
      PROGRESS + order.id,
      CBOR.encode(result === undefined ? progress : { ...progress, result }),
    );
  }

  /** Resolves when what was saved last is on disk. */
  settled(id: string): Promise<void> {
    const value = this.map.get(PROGRESS + id);
    return value ? this.map.set(PROGRESS + id, value) : Promise.resolve();
  }

  params(id: string): unknown {
    return this.order(id).params;
  }

  result(id: string): unknown {
    return this.progress(id)?.result;
  }

  /** Forgets a command. */
  drop(id: string): void {
    for (const key of [ORDER + id, PROGRESS + id]) {
      this.bytes -= this.costOf(key);
      void this.map.delete(key);
    }
  }

  private set(key: string, value: Uint8Array): Promise<void> {
    const before = this.costOf(key);
    const done = this.map.set(key, value);
    this.bytes += this.costOf(key) - before;
    return done;
  }

  private costOf(key: string): number {
    const value = this.map.get(key);
    return value ? value.length + ENTRY_BYTES : 0;
  }

  private order(id: string): StoredOrder {
    return CBOR.decode(this.map.get(ORDER + id)!) as StoredOrder;
  }

  private progress(id: string): StoredProgress | undefined {
    const value = this.map.get(PROGRESS + id);
    return value && (CBOR.decode(value) as StoredProgress);
  }
}
