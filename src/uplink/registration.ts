/**
 * What an engine tells the centre of itself: everything once after each join, then changes, gathered for a moment.
 */

import type { MessageStream } from './message-stream.js';
import {
  type Attachment,
  CHANGES_PER_MESSAGE,
  type EngineStats,
  type RegMessage,
  type ServerInfo,
} from './messages.js';
import { isText } from './sendable.js';

/** All there is to register, read when a full registration is made. */
export interface RegistrationSource {
  servers(): readonly ServerInfo[];
  labels(): Readonly<Record<string, string>>;
  stats(): EngineStats;
  /** Ids of the connected clients. */
  clients(): Iterable<number>;
  /** Channels with subscribers. */
  channels(): Iterable<string>;
  /** Devices with the client each is attached to. */
  devices(): Iterable<Attachment>;
}

/** How changes are gathered. */
export interface RegistrationOptions {
  /** Milliseconds a change waits for others; 100. */
  readonly gatherMs?: number;
  /** Most changes that may wait; beyond them everything is sent anew. 100,000. */
  readonly maxChanges?: number;
  /** Milliseconds between statistics; 10,000. */
  readonly statsMs?: number;
}

/** Changes since the last message: true is there now, false has gone. */
class Pending {
  readonly clients = new Map<number, boolean>();
  readonly channels = new Map<string, boolean>();
  /** The client a device is attached to, undefined when it is detached. */
  readonly devices = new Map<string, number | undefined>();

  get size(): number {
    return this.clients.size + this.channels.size + this.devices.size;
  }

  clear(): void {
    this.clients.clear();
    this.channels.clear();
    this.devices.clear();
  }
}

/** The part of a registration message that a split yields. */
type Part = Pick<RegMessage, 'full' | 'clients' | 'channels' | 'devices'>;

const DEFAULTS = { gatherMs: 100, maxChanges: 100_000, statsMs: 10_000 };
/** Bytes of a message, about, at which the next one begins; and those that may wait in the stream. */
const PART_BYTES = 512 * 1024;
/** Longest name of a channel or device in characters. */
const MAX_NAME = 256;
const AHEAD_BYTES = 1024 * 1024;

/** Keeps a centre informed over whichever control stream is joined. Changes while there is none cost nothing. */
export class Registration {
  /** Full registrations made, and how many of them because too many changes waited. */
  full = 0;
  overruns = 0;

  private readonly options: Required<RegistrationOptions>;
  private readonly pending = new Pending();
  private control: MessageStream | undefined;
  /** What is still to be sent of the present registration. */
  private parts: Iterator<Part> | undefined;
  private n = 0;
  private needsFull = false;
  private timer: NodeJS.Timeout | undefined;
  private statsTimer: NodeJS.Timeout | undefined;

  constructor(
    private readonly source: RegistrationSource,
    options: RegistrationOptions = {},
  ) {
    this.options = { ...DEFAULTS, ...options };
  }

  clientOpened(id: number): void {
    this.toggle(this.pending.clients, id, true);
  }

  clientClosed(id: number): void {
    this.toggle(this.pending.clients, id, false);
  }

  /** A channel got its first subscriber here. */
  channelOpened(name: string): void {
    this.toggle(this.pending.channels, name, true);
  }

  /** A channel lost its last subscriber here. */
  channelClosed(name: string): void {
    this.toggle(this.pending.channels, name, false);
  }

  /** A device is attached to this client now, whichever it was attached to before. */
  deviceAttached(device: string, client: number): void {
    this.setDevice(device, client);
  }

  /** A device is attached to no client any more. */
  deviceDetached(device: string): void {
    this.setDevice(device, undefined);
  }

  /** Servers or links came or went. */
  serversChanged(): void {
    if (this.recording) this.control!.send({ t: 'reg', n: this.n++, servers: this.source.servers() });
  }

  /** Sends all there is over a control stream that has joined, and changes from then on. */
  attach(control: MessageStream): void {
    this.detach();
    this.control = control;
    control.ondrain = () => this.pump();
    this.statsTimer = setInterval(() => this.sendStats(), this.options.statsMs).unref();
    this.resend();
  }

  /** The control stream has ended. */
  detach(): void {
    if (this.control) this.control.ondrain = () => {};
    this.control = undefined;
    this.parts = undefined;
    this.pending.clear();
    clearTimeout(this.timer);
    clearInterval(this.statsTimer);
    this.timer = undefined;
  }

  /** Sends everything anew, since the centre missed something. */
  resend(): void {
    this.parts = undefined;
    this.needsFull = true;
    this.pump();
  }

  /** False while everything is to be read anyway. */
  private get recording(): boolean {
    return this.control !== undefined && !this.needsFull;
  }

  private toggle<K>(changes: Map<K, boolean>, key: K, there: boolean): void {
    if (!this.recording) return;
    // What came and went within a moment, or the other way round, is as it was told last.
    if (changes.get(key) === !there) changes.delete(key);
    else changes.set(key, there);
    this.changed();
  }

  private setDevice(device: string, client: number | undefined): void {
    if (!this.recording) return;
    this.pending.devices.set(device, client);
    this.changed();
  }

  private changed(): void {
    if (this.pending.size > this.options.maxChanges) {
      // Everything is read anew when there is room for it.
      this.pending.clear();
      this.parts = undefined;
      this.overruns++;
      this.needsFull = true;
    }
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      this.pump();
    }, this.options.gatherMs).unref();
  }

  /** Sends while the stream has room; goes on when it drains, or when the next change's time has come. */
  private pump(): void {
    const { control } = this;
    while (control && control.pendingBytes < AHEAD_BYTES) {
      if (this.needsFull) this.beginFull(control);
      else {
        this.parts ??= this.pending.size > 0 ? this.takePending() : undefined;
        if (!this.parts) return;
        const { value, done } = this.parts.next();
        if (done) this.parts = undefined;
        else control.send({ t: 'reg', n: this.n++, ...value });
      }
    }
  }

  private beginFull(control: MessageStream): void {
    const { source } = this;
    this.needsFull = false;
    this.pending.clear();
    this.full++;
    this.n = 0;
    control.send({
      t: 'reg',
      n: this.n++,
      full: true,
      servers: source.servers(),
      labels: source.labels(),
      stats: source.stats(),
    });
    // Copies: these change while they are being sent, and the changes follow. Channels first: messages need them.
    const channels = Array.from(source.channels(), (name) => [name, true] as const);
    const clients = Array.from(source.clients(), (id) => [id, true] as const);
    this.parts = split({ channels, clients, devices: [...source.devices()] }, { full: true });
  }

  private takePending(): Iterator<Part> {
    const { pending } = this;
    const parts = split(
      {
        channels: [...pending.channels],
        clients: [...pending.clients],
        devices: [...pending.devices],
      },
      {},
    );
    pending.clear();
    return parts;
  }

  private sendStats(): void {
    // Stays behind what is still to be told of the clients it counts.
    if (this.needsFull || this.parts) return;
    this.control?.send({ t: 'reg', n: this.n++, stats: this.source.stats() });
  }
}

interface AllChanges {
  readonly channels: Iterable<readonly [string, boolean]>;
  readonly clients: Iterable<readonly [number, boolean]>;
  readonly devices: Iterable<readonly [string, number | undefined]>;
}

/**
 * Whether a name can be told. What the centre would end the stream for is left out: one odd name, which the API can
 * bring, must not cost the whole registration.
 */
function isTellable(name: string): boolean {
  return name.length <= MAX_NAME && isText(name);
}

/** Cuts changes into messages that keep to {@link CHANGES_PER_MESSAGE} and {@link PART_BYTES}, each with `head`. */
function* split(changes: AllChanges, head: Part): Generator<Part> {
  let part = newPart();
  let [count, bytes] = [0, 0];
  const grown = (size: number): boolean => {
    bytes += size;
    return ++count === CHANGES_PER_MESSAGE || bytes > PART_BYTES;
  };
  function* cut(): Generator<Part> {
    if (count > 0) yield { ...head, ...part };
    part = newPart();
    [count, bytes] = [0, 0];
  }
  for (const [name, there] of changes.channels) {
    if (!isTellable(name)) continue;
    (there ? part.channels.add : part.channels.del).push(name);
    if (grown(3 * name.length + 3)) yield* cut();
  }
  for (const [id, there] of changes.clients) {
    (there ? part.clients.add : part.clients.del).push(id);
    if (grown(9)) yield* cut();
  }
  for (const [device, client] of changes.devices) {
    if (!isTellable(device)) continue;
    if (client === undefined) part.devices.del.push(device);
    else part.devices.add.push([device, client]);
    if (grown(3 * device.length + 13)) yield* cut();
  }
  yield* cut();
}

function newPart() {
  return {
    channels: { add: [] as string[], del: [] as string[] },
    clients: { add: [] as number[], del: [] as number[] },
    devices: { add: [] as Attachment[], del: [] as string[] },
  };
}
