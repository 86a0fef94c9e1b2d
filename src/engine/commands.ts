/**
 * Commands for devices of this engine (design §6, §9 "Command states"): each is begun at most once, whatever ends the
 * process, and what became of it is kept until the centre has it on its own disk.
 */

import { MoonwireError, messageOf } from '../errors.js';
import { fromJs, toJs } from '../script/convert.js';
import { LuaError, type LuaValue } from '../script/executor.js';
import { ScriptError } from '../script/script-error.js';
import type { Client } from './client.js';
import type { Engine } from './engine.js';
import { CommandOf } from './mix/host.js';
import type { Program } from './program.js';

/** A command as the centre gives it. */
export interface Command {
  /** Unique for ever. */
  readonly id: string;
  readonly device: string;
  readonly name: string;
  /** Plain values. */
  readonly params?: unknown;
  /** Unix seconds until which it was to be begun. */
  readonly expires: number;
  /** It must not be begun any more: only what became of it is asked. */
  readonly late?: boolean | undefined;
}

/** What became of a command. */
export interface Outcome {
  readonly id: string;
  /** `queued`: not begun here; `unknown`: begun, and nobody knows how it ended. */
  readonly state: 'queued' | 'done' | 'failed' | 'unknown';
  /** Unix seconds. */
  readonly at: number;
  /** Plain values, of at most {@link MAX_RESULT_BYTES} of CBOR. */
  readonly result?: unknown;
  /** "code: text". */
  readonly error?: string;
}

/** Where it is kept what was begun; `KeyValue` of `src/store`. */
export interface CommandJournal {
  get(key: string): Uint8Array | undefined;
  /** Resolves when it is on disk, rejects while the disk refuses. */
  set(key: string, value: Uint8Array): Promise<void>;
  delete(key: string): Promise<void>;
  keys(): Iterable<string>;
}

/** Rising for ever; names are metric labels. */
export interface CommandCounters {
  begun: number;
  done: number;
  failed: number;
  unknown: number;
  /** Given back to the centre without having been begun. */
  returned: number;
  /** Commands that came again. */
  repeated: number;
}

/** Most bytes of a result in CBOR; what is longer is left out, and the error says so. */
const MAX_RESULT_BYTES = 32 * 1024;
const MAX_ERROR = 1024;
/** Commands under way at a time. */
const MAX_RUNNING = 1000;
/** Seconds that `on_command` may take. */
const MAX_SECONDS = 600;

/** What the journal holds of a command: it was begun, or how it ended. */
type Entry = { readonly state: 'started' } | Omit<Outcome, 'id'>;

export class Commands {
  readonly counters: CommandCounters = { begun: 0, done: 0, failed: 0, unknown: 0, returned: 0, repeated: 0 };
  /** Told of every outcome as it comes, and again when a command comes again. */
  onoutcome: (outcome: Outcome) => void = () => {};
  private readonly running = new Set<string>();

  /** `seconds`: how long `on_command` may take. */
  constructor(
    private readonly engine: Engine,
    private readonly journal: CommandJournal,
    private readonly seconds = MAX_SECONDS,
  ) {
    for (const id of journal.keys()) {
      if (this.read(id).state !== 'started') continue;
      const error = 'closed: the engine ended before the command did';
      void this.keep({ id, state: 'unknown', at: now(), error });
    }
  }

  /** What the centre may not have yet. */
  *outcomes(): Generator<Outcome> {
    for (const id of this.journal.keys()) {
      const entry = this.read(id);
      if (entry.state !== 'started') yield { id, ...entry };
    }
  }

  /** The centre has the outcome of a command, or does not want it. */
  confirm(id: string): void {
    if (!this.running.has(id)) void this.forget(id);
  }

  /** Runs `on_command` for a command that was not begun before; resolves when its outcome was told. Never rejects. */
  async run(command: Command): Promise<void> {
    const { id } = command;
    if (this.running.has(id)) {
      this.counters.repeated++;
      return;
    }
    if (this.journal.get(id)) {
      this.counters.repeated++;
      const entry = this.read(id);
      if (entry.state !== 'started') this.onoutcome({ id, ...entry });
      return;
    }
    if (command.late) {
      this.tell(returned(id, 'timeout: it came too late'));
      return;
    }
    if (this.running.size >= MAX_RUNNING) {
      this.tell(returned(id, `overloaded: ${MAX_RUNNING} commands are under way`));
      return;
    }
    this.running.add(id);
    const outcome = await this.perform(command);
    this.running.delete(id);
    this.tell(outcome);
  }

  private async perform(command: Command): Promise<Outcome> {
    const { id, device } = command;
    const client = this.clientOf(device);
    if (!client) return returned(id, 'not_connected: the device is not attached here');
    const { program, station } = client;
    const { handlers, settings } = station;
    if (handlers || program.handler('on_command') === undefined) {
      return failed(id, `not_found: ${handlers ? settings.name : program.entry} has no on_command`);
    }
    try {
      await this.journal.set(id, this.encode({ state: 'started' }));
    } catch (error) {
      // Without a trace of its beginning it could run again.
      void this.forget(id);
      const code = error instanceof MoonwireError ? error.code : 'internal';
      return failed(id, `${code}: not begun, since that cannot be noted: ${messageOf(error)}`);
    }
    // Meanwhile it may have gone, or have come back over another connection.
    const reached = this.clientOf(device);
    if (!reached) {
      void this.forget(id);
      return returned(id, 'not_connected: the device is not attached here any more');
    }
    this.counters.begun++;
    const outcome = await this.limited(id, this.execute(command, reached));
    await this.keep(outcome);
    return outcome;
  }

  /** Runs the handler. Never rejects. */
  private async execute(command: Command, client: Client): Promise<Outcome> {
    const { id, device, name, params, expires } = command;
    const { station, program } = client;
    const { vm } = program;
    client.commands++;
    try {
      const cmd = vm.values.read(fromJs(vm.main, { id, device_id: device, name, params, expires }));
      const handler = program.handler('on_command');
      const [result, error] = await vm.run(handler, [cmd, client.conn()], new CommandOf(client));
      if (result === undefined && error !== undefined) {
        return failed(
          id,
          typeof error === 'string' ? textOf(error) : `internal: its error is a ${vm.type(error)}`,
        );
      }
      return this.done(id, program, result);
    } catch (error) {
      if (error instanceof LuaError) return failed(id, `invalid_argument: ${error.message}`);
      station.scriptFailed('on_command', client, error as Error);
      return failed(id, `${error instanceof ScriptError ? error.code : 'internal'}: ${messageOf(error)}`);
    } finally {
      client.commands--;
      client.renewed();
    }
  }

  /** The device was told; what of the result cannot be handed on is left out. */
  private done(id: string, { vm }: Program, value: LuaValue): Outcome {
    const outcome = { id, state: 'done', at: now() } as const;
    try {
      const result = toJs(vm.values.slot(value));
      if (result === undefined) return outcome;
      const { length } = this.engine.parts.codecs.encode('cbor', result);
      if (length <= MAX_RESULT_BYTES) return { ...outcome, result };
      return {
        ...outcome,
        error: `too_large: its result of ${length} bytes is left out; ${MAX_RESULT_BYTES} are kept`,
      };
    } catch (error) {
      return { ...outcome, error: `invalid_argument: its result is left out: ${messageOf(error)}` };
    }
  }

  /** Gives up waiting for a handler that takes too long; it is not ended by that. */
  private async limited(id: string, running: Promise<Outcome>): Promise<Outcome> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<Outcome>((resolve) => {
      timer = setTimeout(() => {
        const error = `timeout: on_command did not return within ${this.seconds} s`;
        resolve({ id, state: 'unknown', at: now(), error });
      }, this.seconds * 1000);
    });
    const outcome = await Promise.race([running, late]);
    clearTimeout(timer);
    return outcome;
  }

  private clientOf(device: string): Client | undefined {
    const client = this.engine.devices.get(device);
    return client?.closed === false ? client : undefined;
  }

  private tell(outcome: Outcome): void {
    this.counters[outcome.state === 'queued' ? 'returned' : outcome.state]++;
    this.onoutcome(outcome);
  }

  /** Keeps an outcome in place of the note that the command was begun. Never rejects. */
  private async keep({ id, ...entry }: Outcome): Promise<void> {
    try {
      await this.journal.set(id, this.encode(entry));
    } catch (error) {
      // It is true all the same; should the process end before the centre has it, it will be unknown.
      this.engine.log.error('the outcome of a command is not on disk', { id, reason: messageOf(error) });
    }
  }

  /** Never rejects: what is not removed now is told to the centre once more. */
  private async forget(id: string): Promise<void> {
    try {
      await this.journal.delete(id);
    } catch (error) {
      this.engine.log.warn('a command is not forgotten yet', { id, reason: messageOf(error) });
    }
  }

  private encode(entry: Entry): Uint8Array {
    return this.engine.parts.codecs.encode('cbor', entry);
  }

  /** What is kept of a command; one that cannot be read was begun. */
  private read(id: string): Entry {
    try {
      return this.engine.parts.codecs.decode('cbor', this.journal.get(id)!) as Entry;
    } catch {
      return { state: 'started' };
    }
  }
}

/** A Lua string as text. */
function textOf(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString('utf8');
}

function failed(id: string, error: string): Outcome {
  return { id, state: 'failed', at: now(), error: error.slice(0, MAX_ERROR) };
}

function returned(id: string, error: string): Outcome {
  return { id, state: 'queued', at: now(), error };
}

function now(): number {
  return Date.now() / 1000;
}
