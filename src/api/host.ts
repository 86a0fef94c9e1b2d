/** The narrow interface through which the API sees its process: an engine, or the centre. */

import type { Commands } from '../center/commands.js';
import type { Change } from '../config/changes.js';
import type { AddedLinks } from '../engine/added-links.js';
import type { Leases } from '../engine/bus/leases.js';
import type { Arrived } from '../engine/handover/estate.js';
import type { ConnCall, Outgoing, Published } from '../engine/mesh.js';
import type { Queues } from '../engine/queues.js';
import type { Scripts } from '../engine/reload/scripts.js';
import type { TraceListener } from '../engine/trace.js';
import type { Failure } from '../errors.js';
import type { OutboxStatus } from '../store/outbox-status.js';
import type { SinkFigures } from './monitor-sources.js';
import type { BusInfo, ChannelInfo, ClientDetail, ClientInfo, DeviceInfo, EngineInfo } from './shapes.js';

/** Which clients are meant; what is left out means any. */
export interface ClientFilter {
  readonly engine?: string | undefined;
  /** Name of a server or link. */
  readonly server?: string | undefined;
  /** Id of a device attached to it. */
  readonly device?: string | undefined;
  /** A channel it is subscribed to. */
  readonly channel?: string | undefined;
}

/** Which devices are meant; what is left out means any. */
export interface DeviceFilter {
  /** Where it is attached, or was heard last. */
  readonly engine?: string | undefined;
  readonly attached?: boolean | undefined;
  /** A label it has, "name=value". */
  readonly label?: string | undefined;
}

/** Which part of a long list, in rising order of its keys. */
export interface PageRequest<K> {
  /** Most items, 1 to 1000. */
  readonly limit: number;
  /** Items after this key; from the first when undefined. */
  readonly after?: K | undefined;
}

/** A part of a long list. */
export interface Page<T> {
  readonly items: T[];
  /** `after` of the next request; undefined at the end. */
  readonly next?: string | undefined;
  /** Engines that were asked and did not answer, so that what they have is left out. */
  readonly unanswered?: readonly string[] | undefined;
}

/** The centre's commands; these throw and reject with MoonwireError. */
export type CommandHost = Pick<Commands, 'submit' | 'cancel' | 'get' | 'list' | 'watch' | 'detailOf'>;

/** How a restart of this process stands. */
export interface RestartStatus {
  /** This process; another one answers after a restart. */
  readonly pid: number;
  readonly underWay: boolean;
  /** Why the last one failed. */
  readonly failure?: string;
  /** What this process took over from the one before it. */
  readonly arrived?: Arrived | undefined;
}

/** Restarts the process with its connections kept. */
export interface RestartHost {
  readonly status: RestartStatus;
  /** Begins a restart; false while one is under way, or when it is too early. */
  begin(): boolean;
}

/** The configuration while it runs; these throw and reject with MoonwireError. */
export interface ConfigHost {
  /** Where it comes from; not there when that is no file. */
  readonly source?: () => {
    readonly file: string;
    readonly source: 'file' | 'last_good';
    /** Unix seconds. */
    readonly applied: number;
  };
  /** What a reload would do. */
  plan(): Promise<Change[]>;
  /** Reads it again and applies it; what it did. */
  reload(): Promise<Change[]>;
}

/** The same functions, whose results may come from another process. */
type MayBeLate<T extends Record<K, () => unknown>, K extends keyof T> = {
  [F in K]: () => ReturnType<T[F]> | Promise<ReturnType<T[F]>>;
};

/** What the API needs. None of these rejects, except on defects. */
export interface ApiHost {
  readonly role: 'engine' | 'center';
  /** Name of the engine; `center` for the centre. */
  readonly name: string;
  /** Number of this node; 0 for the centre and until one is leased. */
  readonly node: number;
  /** Of the program. */
  readonly version: string;
  /** What this process was configured with. */
  readonly config?: ConfigHost | undefined;
  /** Queues of this process; the centre has none. */
  readonly queues?: Pick<Queues, 'consume' | 'resume'> | undefined;

  /** Sends to one client of any node; a Failure when that is not possible. */
  send(id: number, message: Outgoing): Promise<Failure | undefined>;
  /** Sends to the subscribers of a channel on all nodes. */
  publish(channel: string, message: Outgoing): Promise<Published>;
  /** Calls a function of one client of any node. */
  call(id: number, fn: ConnCall, args: readonly unknown[]): Promise<Failure | undefined>;

  /** The engine itself; on the centre all that are known. */
  engines(): Promise<EngineInfo[]>;
  /** Frees the name of an engine that is away, so that another key may take it; centres only. */
  forget?(name: string): Promise<Failure | undefined>;
  /** Own clients; on the centre those of all engines. Keys are client ids. */
  clients(filter: ClientFilter, page: PageRequest<number>): Promise<Page<ClientInfo>>;
  /** `not_found` when there is no such client here. */
  client(id: number): Promise<ClientDetail | Failure>;
  /** Closes a client's connection, after what was sent to it has left. */
  disconnect(id: number): Promise<Failure | undefined>;
  /** Devices attached to clients, by id; on the centre all that are known. */
  devices(filter: DeviceFilter, page: PageRequest<string>): Promise<Page<DeviceInfo>>;
  device(id: string): Promise<DeviceInfo | Failure>;
  /** Gives a device these labels; centres only. Rejects with MoonwireError. */
  label?(id: string, labels: Readonly<Record<string, string>>): Promise<void>;
  /** Drops what is known of a device that is not attached; centres only. */
  forgetDevice?(id: string): Promise<Failure | undefined>;
  /** Commands to devices; centres only. */
  readonly commands?: CommandHost;
  /** Reports that are kept until they are taken; engines only. */
  outbox?(): OutboxStatus | undefined | Promise<OutboxStatus | undefined>;
  /** Sinks that reports are delivered to from here. */
  sinks?(): readonly SinkFigures[];
  /** Restarts this process; where it runs as a service of its own. */
  readonly restart?: RestartHost | undefined;
  /** Buses of links; engines only. */
  buses?(): BusInfo[] | Promise<BusInfo[]>;
  /** What runs, and how saved scripts take over; engines only. */
  readonly scripts?: MayBeLate<Scripts, 'list'> & Pick<Scripts, 'reload'>;
  /** Links, those that are added while the engine runs among them; engines only. These throw and reject with MoonwireError. */
  readonly links?: MayBeLate<AddedLinks, 'list'> & Pick<AddedLinks, 'add' | 'replace' | 'remove'>;
  /** Lends the line of links; engines only. */
  readonly leases?: Pick<Leases, 'take' | 'giveBack'>;
  /** Channels with subscribers, by name. */
  channels(page: PageRequest<string>): Promise<Page<ChannelInfo>>;
  /**
   * Watches a client until the returned function is called. `ended` is called once when there is nothing more to
   * watch: the client is gone, or its engine.
   */
  trace(id: number, listener: TraceListener, ended: () => void): Promise<(() => void) | Failure>;
}
