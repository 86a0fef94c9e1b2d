/**
 * What a server and a link have in common: one script, its clients, their limits and counters. A server's clients
 * are the peers that connected; a link has at most one, its device.
 */

import { isDeepStrictEqual } from 'node:util';
import type { Framer, OnDiscard } from '../bytes/framer.js';
import type { LinkConfig, ServerConfig } from '../config/schema.js';
import { Failure, MoonwireError, messageOf } from '../errors.js';
import { type Logger, LogThrottle } from '../log.js';
import { LuaError, type LuaValue } from '../script/executor.js';
import { ScriptError } from '../script/script-error.js';
import type { Pushable } from '../script/values.js';
import type { Vm } from '../script/vm.js';
import type { Connection } from '../transports/connection.js';
import { Client } from './client.js';
import { checkClient } from './client-checks.js';
import { Counters } from './counters.js';
import { HandlerHost } from './embedded/host.js';
import type { Embedded } from './embedded/settings.js';
import type { Engine } from './engine.js';
import { restoreClient } from './handover/client.js';
import type { SavedClient } from './handover/saved.js';
import { Histogram } from './histogram.js';
import { TimerOf } from './mix/host.js';
import { installMix, installModuleMix, type MixTarget, setNodeConstant } from './mix/index.js';
import type { NativeProtocol } from './native.js';
import { createVm, Program } from './program.js';
import type { Protocol, ProtocolPeer } from './protocol.js';
import { RecentFrames } from './recent-frames.js';
import { Reloads } from './reload/reload.js';
import { Trial } from './reload/trial.js';
import { type Timer, Timers } from './timers.js';
import { hexOf } from './trace.js';

/** What one peer may take; see `limits` in the configuration. */
export interface StationLimits {
  frameBytes: number;
  sendBufferBytes: number;
  sendOverflow?: LinkConfig['limits']['sendOverflow'];
  sendStallSeconds: number;
  /** 0: never. */
  idleSeconds: number;
  /** Of one client; 0 or undefined: any number. */
  messagesPerSecond?: number;
  messagesBurst?: number | undefined;
  messageOverflow?: ServerConfig['limits']['messageOverflow'];
}

/** What a station is made of, beside what it listens on or connects to. */
export interface StationSettings extends Pick<Embedded, 'handlers'> {
  name: string;
  entry: string;
  options: Readonly<Record<string, string | number | boolean>>;
  /** What a server speaks; with `websocket` its messages are those of WebSockets. */
  protocol?: ServerConfig['protocol'];
  limits: StationLimits;
  /** Seconds between looks for saved scripts; 0: none. */
  byteCodeExpires?: number;
}

/** Default seconds an incomplete frame may wait (design §9). */
const PARTIAL_SECONDS = 5;
const PARTIAL_SECONDS_SERIAL = 0.5;
const CHECK_MS = 1000;
/** Bytes of a bad frame that the log shows. */
const EXCERPT = 64;

export class Station {
  readonly counters = new Counters();
  /** How long `on_message` took, waits included. */
  readonly messageTimes = new Histogram();
  readonly clients = new Set<Client>();
  readonly log: Logger;
  limits: StationLimits;
  /** The code that serves new messages. */
  program!: Program;
  /** While code is replaced: the clients whose next step waits for it. */
  held: Set<Client> | undefined;
  /** Replaces the code. */
  readonly reloads = new Reloads(this);
  closed = false;
  /** Handlers of a program in place of the script: then there is none, and no VM. */
  readonly handlers: HandlerHost | undefined;
  /** What speaks the protocol of its clients, where that is not the script. */
  native: NativeProtocol | undefined;
  /** What speaks with those that speak HTTP, where they may. */
  http: NativeProtocol | undefined;
  private readonly throttle = new LogThrottle();
  private recent: RecentFrames | undefined;
  private checks: NodeJS.Timeout | undefined;
  /** Its clients do nothing new, since another process takes them over. */
  frozen = false;
  private running = 0;

  constructor(
    readonly engine: Engine,
    public settings: StationSettings,
  ) {
    this.log = engine.log.child({ at: settings.name });
    this.limits = settings.limits;
    this.handlers = settings.handlers && new HandlerHost(this, settings.handlers);
  }

  /** Loads the script without running any handler. Throws ScriptError. */
  compile(): void {
    this.program = this.build();
    this.program.compile();
  }

  /** A VM for this station's script. */
  createVm(): Vm {
    return createVm(this.engine.options.script, this.log, this.engine.chunks);
  }

  /**
   * A program of the script as it is now. `before`: it is tried aside, and takes the turns of these timers once it takes
   * over.
   */
  build(vm = this.createVm(), before?: readonly Timer[]): Program {
    const { script } = this.engine.options;
    const { entry, protocol } = this.settings;
    const timers = new Timers((fn, owner) =>
      this.askHandler('timer', undefined, fn, [], program, owner && new TimerOf(owner)),
    );
    if (before) timers.hold(before);
    if (this.frozen) timers.freeze();
    let program: Program | undefined;
    try {
      return new Program({
        vm,
        timers,
        entry,
        trial: before && new Trial(),
        ready: protocol !== undefined && protocol !== 'socket' && protocol !== 'auto',
        install: (made) => {
          program = made;
          installMix(made, this);
        },
        installModule:
          script.compile === 'auto' ? (target: MixTarget) => installModuleMix(target, this) : undefined,
      });
    } catch (error) {
      timers.end();
      throw error;
    }
  }

  /** Loads the script, where there is one, and runs its `init`. Throws ScriptError. */
  async load(): Promise<void> {
    if (!this.handlers) await this.loadScript();
    this.checks = setInterval(() => this.check(), CHECK_MS).unref();
  }

  private async loadScript(): Promise<void> {
    this.compile();
    const { vm } = this.program;
    const init = this.program.handler('init');
    if (init !== undefined) await vm.run(init, []);
    this.program.initialized();
    const { notCompiled } = this.program;
    if (notCompiled !== undefined) this.log.debug('the protocol is not compiled', { reason: notCompiled });
    this.reloads.watch(this.settings.byteCodeExpires ?? 0);
  }

  /**
   * Puts other limits, another script or other options of it in effect; clients stay. Rejects with `invalid_argument`,
   * and nothing is changed, when the script is refused.
   */
  async reconfigure(settings: StationSettings): Promise<void> {
    const before = this.settings;
    this.settings = settings;
    if (!isDeepStrictEqual(scriptOf(before), scriptOf(settings))) {
      try {
        await this.renew();
      } catch (error) {
        this.settings = before;
        throw error;
      }
    }
    this.limits = settings.limits;
    this.reloads.watch(settings.byteCodeExpires ?? 0);
  }

  /** Loads the script anew, though nothing was saved. Rejects with `invalid_argument`, the old one going on. */
  async renew(): Promise<void> {
    if (this.handlers) return;
    const { outcome, reason = 'refused' } = await this.reloads.reload({ force: true });
    if (outcome !== 'reloaded') throw new MoonwireError('invalid_argument', reason, this.settings.name);
  }

  /** Takes a new connection in as a client. */
  readonly accept = (connection: Connection): void => {
    const client = this.adopt(connection);
    connection.attach(client);
    client.start();
  };

  /** Makes a client for a connection that its caller attaches. */
  adopt(connection: Connection): Client {
    const client = new Client(this.engine.nextClientId(), this, connection);
    this.counters.opened++;
    this.clients.add(client);
    this.engine.admit(client);
    return client;
  }

  /** Makes a client, at rest, that another process had; its caller attaches it. */
  takeOver(connection: Connection, saved: SavedClient): Client {
    const client = new Client(saved.id, this, connection);
    this.clients.add(client);
    this.engine.admit(client);
    restoreClient(client, saved);
    return client;
  }

  /** Lets clients end the step at hand, and no timer fire. */
  freeze(): void {
    this.frozen = true;
    for (const { timers } of this.programs()) timers.freeze();
  }

  /** Goes on. */
  thaw(): void {
    this.frozen = false;
    for (const { timers } of this.programs()) timers.thaw();
    for (const client of this.clients) client.thaw();
  }

  /** Whether a handler is under way, or newer code is about to take over. */
  get busy(): boolean {
    return this.running > 0 || this.held !== undefined;
  }

  /** Forgets a client whose connection is over and whose handlers have run. */
  remove(client: Client): void {
    this.counters.closed++;
    this.clients.delete(client);
    this.reloads.forget(client);
    this.engine.forget(client);
  }

  /** Closes all clients and stops timers. Resolves when all `on_close` have run, or after `seconds`. */
  async close(seconds: number): Promise<void> {
    this.closed = true;
    clearInterval(this.checks);
    this.handlers?.close();
    this.release();
    this.program?.timers.clear();
    const deadline = performance.now() + seconds * 1000;
    for (const client of this.clients) client.end(1001, 'the engine stops');
    while (this.clients.size > 0 && performance.now() < deadline) await pause(10);
    for (const client of this.clients) client.destroy(new MoonwireError('closed', 'the engine stops'));
    this.program?.timers.end();
    this.reloads.close();
  }

  /** This node's number has changed. */
  nodeChanged(): void {
    for (const program of this.programs()) setNodeConstant(program.vm, this);
  }

  /** The code in charge, and that which still has something under way. */
  private *programs(): Generator<Program> {
    if (this.program) yield this.program;
    yield* this.reloads.programs();
  }

  /** Lets no client begin another step. */
  hold(): void {
    this.held ??= new Set();
  }

  /** Lets them go on. */
  release(): void {
    const { held } = this;
    this.held = undefined;
    for (const client of held ?? []) client.proceed();
  }

  /** The last frames of all clients together. */
  get frames(): RecentFrames {
    this.recent ??= new RecentFrames();
    return this.recent;
  }

  private check(): void {
    if (this.frozen) return;
    const now = performance.now();
    for (const client of this.clients) checkClient(client, now);
    this.reloads.check(now);
  }

  // -- What is spoken ------------------------------------------------------------------------------------------

  /** What speaks with a connection, where that is not the script. */
  nativeOf({ speaks }: Connection): NativeProtocol | undefined {
    return speaks === 'http' ? this.http : this.native;
  }

  // -- Framing --------------------------------------------------------------------------------------------------

  /** What cuts a stream into frames: the script's protocol, or handlers of a program. */
  framing(program: Program): HandlerHost | Protocol {
    return this.handlers ?? program.protocol;
  }

  /** Whether this connection's bytes are cut into frames; a datagram is one frame as it is. */
  framed(connection: Connection, program: Program): boolean {
    return (
      !connection.datagram &&
      connection.speaks !== 'websocket' &&
      (this.native !== undefined || this.framing(program).framed)
    );
  }

  createFramer(client: Client, program: Program): Framer {
    if (this.native?.createFramer) return this.native.createFramer(client);
    const onDiscard: OnDiscard = (bytes, reason) => {
      this.counters.discard(reason, bytes.length);
      client.port?.discarded(bytes.length, reason);
      if (client.tracers) client.trace({ event: 'discard', hex: hexOf(bytes), reason });
      this.logAtBoundedRate(
        `discard ${reason}`,
        'warn',
        `discarded ${bytes.length} bytes: ${reason}`,
        client,
        {
          hex: excerpt(bytes),
        },
      );
    };
    const max = this.limits.frameBytes;
    return this.handlers
      ? this.handlers.createFramer(client, max, onDiscard)
      : program.protocol.createFramer(program.peerOf(client), max, onDiscard);
  }

  partialSeconds(connection: Connection, program: Program): number {
    return (
      this.native?.partialSeconds ??
      this.framing(program).partial ??
      (connection.transport === 'serial' ? PARTIAL_SECONDS_SERIAL : PARTIAL_SECONDS)
    );
  }

  /**
   * Encodes plain values that come from outside a handler. A {@link Failure} when the protocol refuses them, or
   * when there is none and they are neither text nor bytes.
   */
  encode(data: unknown, peer: ProtocolPeer, program = this.program): Uint8Array | Failure {
    if (this.handlers || !program.protocol.encodes) {
      if (typeof data === 'string') return Buffer.from(data, 'utf8');
      if (data instanceof Uint8Array) return data;
    }
    if (this.handlers)
      return new Failure('invalid_argument: only text and bytes can be sent to these clients');
    const { protocol } = program;
    try {
      return protocol.encodeJs(data, peer);
    } catch (error) {
      if (error instanceof LuaError) return new Failure(`invalid_argument: ${error.message}`);
      this.scriptFailed('encode', undefined, error as Error);
      return new Failure(`internal: encode failed: ${messageOf(error)}`);
    }
  }

  // -- Handlers -------------------------------------------------------------------------------------------------

  /** Runs a handler that may wait; resolves to false when it failed, which is logged and counted here. */
  runHandler(
    name: string,
    client: Client | undefined,
    fn: LuaValue,
    args: readonly Pushable[],
  ): boolean | Promise<boolean> {
    const results = this.askHandler(name, client, fn, args);
    return results instanceof Promise ? results.then((given) => given !== undefined) : results !== undefined;
  }

  /**
   * Runs a handler that may wait and gives what it returned; undefined when it failed, as {@link runHandler}. `program`:
   * whose function it is. `owner`: for whom it runs.
   */
  askHandler(
    name: string,
    client: Client | undefined,
    fn: LuaValue,
    args: readonly Pushable[],
    program = client?.program ?? this.program,
    owner: unknown = client,
  ): readonly LuaValue[] | undefined | Promise<readonly LuaValue[] | undefined> {
    const failed = (error: unknown): undefined => {
      this.scriptFailed(name, client, error as Error, program);
      return undefined;
    };
    program.tally.calls++;
    try {
      const results = program.vm.run(fn, args, owner);
      if (!(results instanceof Promise)) return results;
      this.running++;
      return results.catch(failed).finally(() => this.running--);
    } catch (error) {
      return failed(error);
    }
  }

  /** Counts and logs a script's error. A callback that was stopped loses its client; an error is its own affair. */
  scriptFailed(
    what: string,
    client: Client | undefined,
    error: Error,
    program = client?.program ?? this.program,
  ): void {
    this.tallyFailure(program);
    const stopped = error instanceof ScriptError && error.code === 'budget_exceeded';
    if (stopped) this.counters.budgetExceeded++;
    else this.counters.scriptErrors++;
    const traceback = error instanceof ScriptError ? error.traceback : error.stack;
    this.logAtBoundedRate(error.message, 'error', `${what}: ${error.message}`, client, { traceback });
    if (client?.tracers) client.trace({ event: 'error', reason: `${what}: ${error.message}` });
    if (stopped) client?.destroy(error);
  }

  /** A new script that fails too often may make way for the one before it; handlers of a program have none. */
  private tallyFailure(program: Program): void {
    if (this.handlers) return;
    program.tally.failures++;
    this.reloads.failed(program);
  }

  /** A message that waited for its turn on a bus did not leave. */
  sendFailed(client: Client, { message }: Failure): void {
    this.logAtBoundedRate('send', 'warn', `was not sent: ${message}`, client, {});
  }

  decodeFailed(client: Client, frame: Uint8Array, message: string): void {
    this.counters.decodeErrors++;
    this.tallyFailure(client.program);
    if (client.tracers) client.trace({ event: 'error', hex: hexOf(frame), reason: message });
    this.logAtBoundedRate('decode', 'warn', `does not decode: ${message}`, client, { hex: excerpt(frame) });
  }

  /** Logs what of a client's data newer code did not get. */
  leftBehind(client: Client, lost: readonly string[]): void {
    const message = 'the new code did not get all that the old code kept';
    this.logAtBoundedRate('left behind', 'warn', message, client, { lost });
  }

  /** Logs that a client reached a limit of the configuration. */
  limitReached(client: Client, limit: string, message: string): void {
    this.logAtBoundedRate(limit, 'warn', `${message} (limits.${limit})`, client, {});
  }

  private logAtBoundedRate(
    key: string,
    level: 'warn' | 'error',
    message: string,
    client: Client | undefined,
    fields: Record<string, unknown>,
  ): void {
    const suppressed = this.throttle.pass(key);
    if (suppressed < 0) return;
    this.log[level](message, {
      ...(client && { client: String(client.id), remote: client.connection.remote }),
      ...fields,
      ...(suppressed > 0 && { suppressed }),
    });
  }
}

function excerpt(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes.subarray(0, EXCERPT)).toString('hex');
  return bytes.length > EXCERPT ? `${hex}… (${bytes.length} bytes)` : hex;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** What decides which code runs, and what it is told. */
function scriptOf({ entry, options }: StationSettings): unknown[] {
  return [entry, options];
}
