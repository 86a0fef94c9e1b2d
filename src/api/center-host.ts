/** The centre as the API sees it: the registry, and what engines answer about their clients. */

import * as v from 'valibot';
import type { Center } from '../center/center.js';
import type { Commands } from '../center/commands.js';
import type { DeviceReport, Devices } from '../center/devices.js';
import type { EngineSession } from '../center/engine-session.js';
import type { ConnCall, Outgoing, Published } from '../engine/mesh.js';
import type { TraceListener } from '../engine/trace.js';
import { Failure, MoonwireError, messageOf } from '../errors.js';
import { nodeOf, SEQUENCES } from '../store/ids.js';
import type { ApiHost, ClientFilter, ConfigHost, DeviceFilter, Page, PageRequest } from './host.js';
import type { CenterSource, SinkSource } from './monitor-sources.js';
import { describedPage } from './paging.js';
import {
  type ChannelInfo,
  type ClientDetail,
  type ClientInfo,
  clientDetail,
  clientInfo,
  type DeviceInfo,
  type EngineInfo,
  traceEvent,
} from './shapes.js';

const clientPage = v.object({ items: v.array(clientInfo), next: v.optional(v.string()) });

/** Engines asked for their clients at a time. */
const ASKED_AT_ONCE = 8;

/** Follows a client of an engine over its uplink, until the returned function is called. */
export type RemoteTrace = (
  engine: EngineSession,
  id: number,
  listener: TraceListener,
  ended: () => void,
) => () => void;

export class CenterHost implements ApiHost {
  readonly role = 'center';
  readonly name = 'center';
  readonly node = 0;
  /** What monitoring shows of the centre. */
  readonly figures: CenterSource;

  constructor(
    private readonly center: Center,
    readonly version: string,
    private readonly remoteTrace: RemoteTrace,
    readonly commands: Commands,
    private readonly known: Devices,
    readonly sinks: SinkSource = () => [],
    readonly config?: ConfigHost,
  ) {
    const { registry, counters } = center;
    this.figures = {
      engines: () => this.described().map(({ name, connected, clients }) => ({ name, connected, clients })),
      get channels() {
        return registry.counts().channels;
      },
      get devices() {
        return registry.counts().devices;
      },
      get commands() {
        return commands.counts();
      },
      get refusals() {
        return counters.refused;
      },
    };
  }

  send(id: number, message: Outgoing): Promise<Failure | undefined> {
    return this.center.send(id, message);
  }

  publish(channel: string, message: Outgoing): Promise<Published> {
    return this.center.publish(channel, message);
  }

  call(id: number, fn: ConnCall, args: readonly unknown[]): Promise<Failure | undefined> {
    return this.center.call(id, fn, args);
  }

  /** Those connected, and those that were here before. */
  async engines(): Promise<EngineInfo[]> {
    return this.described();
  }

  async forget(name: string): Promise<Failure | undefined> {
    const { pins, registry } = this.center;
    if (registry.list().some((engine) => engine.name === name))
      return new Failure(`conflict: engine ${name} is connected; stop it first`);
    const node = pins.named(name)?.node;
    if (node === undefined || !(await pins.remove(name))) return new Failure(`not_found: no engine ${name}`);
    this.commands.engineForgotten(node);
    return undefined;
  }

  /**
   * Engines are asked in the order of their nodes, some at a time, until the page is full; those that do not answer
   * are named. Clients from before an engine's first lease carry no node number: only the engine itself lists them.
   */
  async clients(filter: ClientFilter, { limit, after }: PageRequest<number>): Promise<Page<ClientInfo>> {
    const items: ClientInfo[] = [];
    const unanswered: string[] = [];
    const engines = this.candidates(filter).filter(
      ({ node, record }) => record.clientCount > 0 && (after === undefined || after < idRange(node).last),
    );
    const page = (more: boolean): Page<ClientInfo> => ({
      items,
      ...(more && items.length > 0 && { next: items.at(-1)!.id }),
      ...(unanswered.length > 0 && { unanswered }),
    });
    for (let at = 0; at < engines.length; at += ASKED_AT_ONCE) {
      if (items.length === limit) return page(true);
      const asked = engines.slice(at, at + ASKED_AT_ONCE);
      const wanted = limit - items.length;
      const answers = await Promise.all(asked.map((engine) => clientsOf(engine, filter, wanted, after)));
      for (const [i, answer] of answers.entries()) {
        if (answer instanceof Failure) {
          unanswered.push(asked[i]!.name);
          continue;
        }
        const room = limit - items.length;
        items.push(...answer.items.slice(0, room));
        const hasMore = answer.items.length > room || answer.next !== undefined;
        if (hasMore && items.length > 0) return page(true);
      }
    }
    return page(false);
  }

  async client(id: number): Promise<ClientDetail | Failure> {
    const engine = this.engineOf(id);
    return engine instanceof Failure ? engine : ask(clientDetail, engine, 'client', { id });
  }

  async disconnect(id: number): Promise<Failure | undefined> {
    const engine = this.engineOf(id);
    if (engine instanceof Failure) return engine;
    const answer = await ask(v.unknown(), engine, 'disconnect', { id });
    return answer instanceof Failure ? answer : undefined;
  }

  async devices(filter: DeviceFilter, page: PageRequest<string>): Promise<Page<DeviceInfo>> {
    return describedPage(this.deviceIds(filter), page, (id) => this.describeDevice(id)!);
  }

  async device(id: string): Promise<DeviceInfo | Failure> {
    return this.describeDevice(id) ?? new Failure('not_found: no such device was ever heard of');
  }

  label(id: string, labels: Readonly<Record<string, string>>): Promise<void> {
    return this.known.label(id, labels);
  }

  async forgetDevice(id: string): Promise<Failure | undefined> {
    if (this.center.registry.device(id)) return new Failure('conflict: the device is attached');
    return (await this.known.forget(id)) ? undefined : new Failure(`not_found: no device ${id}`);
  }

  async channels(page: PageRequest<string>): Promise<Page<ChannelInfo>> {
    const { registry } = this.center;
    return describedPage(registry.channels(), page, (name) => ({
      name,
      nodes: [...registry.nodesOf(name)].sort((a, b) => a - b),
    }));
  }

  async trace(id: number, listener: TraceListener, ended: () => void): Promise<(() => void) | Failure> {
    const engine = this.engineOf(id);
    if (engine instanceof Failure) return engine;
    const client = await ask(clientDetail, engine, 'client', { id });
    if (client instanceof Failure) return client;
    const checked: TraceListener = (event) => {
      const { success, output } = v.safeParse(traceEvent, event);
      if (success) listener(output);
    };
    return this.remoteTrace(engine, id, checked, ended);
  }

  private described(): EngineInfo[] {
    const { registry, pins } = this.center;
    const connected = registry.list();
    const here = new Set(connected.map(({ name }) => name));
    return [
      ...connected.map(describe),
      ...[...pins.list()]
        .filter(({ name }) => !here.has(name))
        .map(({ name, node }) => ({
          name,
          node,
          version: '',
          labels: {},
          connected: false,
          clients: 0,
          servers: [],
        })),
    ];
  }

  /** The engines that may have clients that fit. */
  private candidates({ engine, device, channel }: ClientFilter): EngineSession[] {
    const { registry } = this.center;
    const nodes = channel === undefined ? undefined : new Set(registry.nodesOf(channel));
    const deviceNode = device === undefined ? undefined : (registry.device(device)?.node ?? 0);
    return registry
      .list()
      .filter(({ name }) => engine === undefined || name === engine)
      .filter(({ node }) => nodes === undefined || nodes.has(node))
      .filter(({ node }) => deviceNode === undefined || deviceNode === node);
  }

  /** Devices that fit, in no order. */
  private *deviceIds({ engine, attached, label }: DeviceFilter): Iterable<string> {
    const { known } = this;
    const { registry } = this.center;
    const at = label?.indexOf('=') ?? -1;
    const [name, wanted] = [label?.slice(0, at), label?.slice(at + 1)];
    const fits = (id: string): boolean =>
      (attached === undefined || attached === (registry.device(id) !== undefined)) &&
      (name === undefined || known.labelsOf(id)?.[name] === wanted) &&
      (engine === undefined || this.engineOfDevice(id) === engine);
    for (const id of known.ids()) if (fits(id)) yield id;
    // A device that is attached has been heard, unless there was no room for it.
    for (const id of registry.deviceIds()) if (!known.has(id) && fits(id)) yield id;
  }

  private describeDevice(id: string): DeviceInfo | undefined {
    const { known } = this;
    const { registry } = this.center;
    const place = registry.device(id);
    if (!place && !known.has(id)) return undefined;
    const state = known.stateOf(id);
    const labels = known.labelsOf(id);
    return {
      id,
      attached: place !== undefined,
      ...(place && { client: String(place.client) }),
      engine: this.engineOfDevice(id),
      ...(state && { last_seen: state.seen }),
      ...(labels && { labels }),
      ...(state?.report && { report: describeReport(state.report) }),
    };
  }

  /** Name of the engine where a device is attached, or was heard last; empty when there was none. */
  private engineOfDevice(id: string): string {
    const { registry } = this.center;
    const place = registry.device(id);
    const engine = place && registry.engineOfNode(place.node)?.name;
    return engine ?? this.known.stateOf(id)?.engine ?? '';
  }

  private engineOf(id: number): EngineSession | Failure {
    const node = nodeOf(id);
    const engine = this.center.registry.engineOfNode(node);
    return engine ?? new Failure(`not_found: no engine with node ${node} is connected`);
  }
}

function describeReport({ time, values, topic, quality }: DeviceReport): DeviceInfo['report'] {
  return {
    time,
    ...(values !== undefined && { values }),
    ...(topic !== null && { topic }),
    ...(quality !== null && { quality }),
  };
}

function describe({ name, node, version, record, since, remote, peer }: EngineSession): EngineInfo {
  return {
    name,
    node,
    version,
    since,
    labels: { ...record.labels },
    connected: true,
    clients: record.clientCount,
    address: remote,
    api: peer.api,
    servers: record.servers.map((server) => ({ ...server, port: server.port ?? 0 })),
  };
}

/** The clients of one engine that fit, from the first after `after` on. */
async function clientsOf(
  engine: EngineSession,
  { server, device, channel }: ClientFilter,
  limit: number,
  after: number | undefined,
): Promise<Page<ClientInfo> | Failure> {
  const { first, last } = idRange(engine.node);
  const page = await ask(clientPage, engine, 'clients', {
    filter: { server, device, channel },
    limit,
    after: Math.max(after ?? -1, first - 1),
  });
  if (page instanceof Failure) return page;
  // Those it cannot be reached for, with ids of another node, are not its clients here.
  return { ...page, items: page.items.filter(({ id }) => Number(id) >= first && Number(id) <= last) };
}

/** Asks an engine; a Failure when it says no, does not answer, or answers what it should not. */
async function ask<T>(
  schema: v.GenericSchema<unknown, T>,
  engine: EngineSession,
  method: string,
  params: unknown,
): Promise<T | Failure> {
  try {
    const answer = v.safeParse(schema, await engine.request(method, params), { abortEarly: true });
    return answer.success
      ? answer.output
      : new Failure(`internal: engine ${engine.name} gave an answer that makes no sense`);
  } catch (error) {
    const code = error instanceof MoonwireError ? error.code : 'internal';
    return new Failure(`${code}: ${messageOf(error)}`);
  }
}

function idRange(node: number): { first: number; last: number } {
  return { first: node * SEQUENCES, last: (node + 1) * SEQUENCES - 1 };
}
