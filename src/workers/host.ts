/**
 * The workers as one engine, for the API: lists are those of all of them together, and what concerns a client goes to
 * the worker that has it. What only a centre knows comes from that of the primary, where there is one.
 */

import type {
  ApiHost,
  ClientFilter,
  CommandHost,
  ConfigHost,
  DeviceFilter,
  Page,
  PageRequest,
  RestartHost,
} from '../api/host.js';
import type { SinkSource } from '../api/monitor-sources.js';
import { errorOf } from '../api/problem.js';
import type {
  BusInfo,
  ChannelInfo,
  ClientDetail,
  ClientInfo,
  DeviceInfo,
  EngineInfo,
} from '../api/shapes.js';
import type { ConnCall, Outgoing, Published } from '../engine/mesh.js';
import type { ReloadResult } from '../engine/reload/reload.js';
import type { TraceListener } from '../engine/trace.js';
import { Failure, MoonwireError, messageOf } from '../errors.js';
import { nodeOf } from '../store/ids.js';
import type { OutboxStatus } from '../store/outbox-status.js';
import { sumOutboxes } from './outbox.js';
import type { WorkerQueues } from './queues.js';
import type { WorkerParams } from './requests.js';
import type { Traces } from './traces.js';
import type { Worker } from './worker.js';
import type { Workers } from './workers.js';

/** What a centre in the primary's process knows beside. */
export type CenterPart = Pick<ApiHost, 'devices' | 'device' | 'label' | 'forgetDevice' | 'forget'> & {
  readonly commands: CommandHost;
};

/** What the workers do not know of themselves. */
export interface WorkersHostFacts {
  /** Of the engine that they are together. */
  readonly name: string;
  /** Version of the program. */
  readonly version: string;
  readonly sinks?: SinkSource | undefined;
  readonly center?: CenterPart | undefined;
  readonly config?: ConfigHost;
  readonly restart?: RestartHost | undefined;
}

export class WorkersHost implements ApiHost {
  readonly role = 'engine';
  readonly node = 0;
  readonly name: string;
  readonly version: string;
  readonly sinks: SinkSource;
  readonly config: ConfigHost | undefined;
  readonly restart: RestartHost | undefined;
  readonly commands?: CommandHost;
  readonly label?: NonNullable<ApiHost['label']>;
  readonly forgetDevice?: NonNullable<ApiHost['forgetDevice']>;
  readonly forget?: NonNullable<ApiHost['forget']>;
  /** Links are those of the first worker. */
  readonly leases: NonNullable<ApiHost['leases']> = {
    take: (link, lease, seconds) => ask(this.first, 'lend', { link, lease, seconds }),
    giveBack: async (link, lease) => failureOf(await ask(this.first, 'giveBack', { link, lease })),
  };
  readonly links: NonNullable<ApiHost['links']> = {
    list: () => demand(this.first, 'links', undefined),
    add: (link) => demand(this.first, 'addLink', { link }),
    replace: (name, link) => demand(this.first, 'replaceLink', { name, link }),
    remove: (name) => demand(this.first, 'removeLink', { name }),
  };
  /** The first worker runs all scripts, and each worker takes over what was saved. */
  readonly scripts: NonNullable<ApiHost['scripts']> = {
    list: () => demand(this.first, 'scripts', undefined),
    reload: async (server, options) => {
      const { answers } = await this.askAll<ReloadResult[]>('reload', { server, options });
      return answers.length > 0 ? answers.flat() : new Failure(`not_found: no server or link ${server}`);
    },
  };
  private readonly center: CenterPart | undefined;

  constructor(
    private readonly workers: Workers,
    readonly queues: WorkerQueues,
    private readonly traces: Traces,
    { name, version, sinks, center, config, restart }: WorkersHostFacts,
  ) {
    this.name = name;
    this.version = version;
    this.sinks = sinks ?? (() => []);
    this.config = config;
    this.restart = restart;
    this.center = center;
    if (!center) return;
    this.commands = center.commands;
    if (center.label) this.label = center.label.bind(center);
    if (center.forgetDevice) this.forgetDevice = center.forgetDevice.bind(center);
    if (center.forget) this.forget = center.forget.bind(center);
  }

  async send(id: number, message: Outgoing): Promise<Failure | undefined> {
    return failureOf(await ask(this.near(id), 'send', { id, message }));
  }

  async publish(channel: string, message: Outgoing): Promise<Published> {
    const [worker] = this.workers.ready;
    const published = await ask<Published>(worker, 'publish', { channel, message });
    return published instanceof Failure ? { success: 0, fail: 0 } : published;
  }

  async call(id: number, fn: ConnCall, args: readonly unknown[]): Promise<Failure | undefined> {
    return failureOf(await ask(this.near(id), 'call', { id, fn, args }));
  }

  async engines(): Promise<EngineInfo[]> {
    const { answers } = await this.askAll<EngineInfo[]>('engines', undefined);
    return answers.flat();
  }

  /** All of them are asked for a page, of which the first ones are taken. */
  async clients({ engine, ...filter }: ClientFilter, page: PageRequest<number>): Promise<Page<ClientInfo>> {
    const asked = this.workers.all.filter(
      ({ name }) => engine === undefined || engine === this.name || engine === name,
    );
    const found = await this.askAll<Page<ClientInfo>>('clients', { filter, ...page }, asked);
    return joined(found, page.limit, ({ id }) => Number(id));
  }

  async client(id: number): Promise<ClientDetail | Failure> {
    return ask(this.owner(id), 'client', { id });
  }

  async disconnect(id: number): Promise<Failure | undefined> {
    return failureOf(await ask(this.owner(id), 'disconnect', { id }));
  }

  async devices(filter: DeviceFilter, page: PageRequest<string>): Promise<Page<DeviceInfo>> {
    const engine = filter.engine === this.name ? undefined : filter.engine;
    if (this.center && engine === filter.engine) return this.center.devices(filter, page);
    const found = await this.askAll<Page<DeviceInfo>>('devices', { filter: { ...filter, engine }, page });
    return joined(found, page.limit, ({ id }) => id);
  }

  async device(id: string): Promise<DeviceInfo | Failure> {
    if (this.center) return this.center.device(id);
    const { answers } = await this.askAll<DeviceInfo>('device', { id });
    return answers[0] ?? new Failure('not_found: no such device is attached here');
  }

  async outbox(): Promise<OutboxStatus | undefined> {
    const { answers } = await this.askAll<OutboxStatus | undefined>('outbox', undefined);
    return sumOutboxes(answers.filter((status) => status !== undefined));
  }

  async buses(): Promise<BusInfo[]> {
    const buses = await ask<BusInfo[]>(this.first, 'buses', undefined);
    return buses instanceof Failure ? [] : buses;
  }

  async channels(page: PageRequest<string>): Promise<Page<ChannelInfo>> {
    const found = await this.askAll<Page<ChannelInfo>>('channels', page);
    const byName = new Map<string, ChannelInfo>();
    for (const { name, subscribers = 0 } of found.answers.flatMap(({ items }) => items)) {
      byName.set(name, { name, subscribers: subscribers + (byName.get(name)?.subscribers ?? 0) });
    }
    const next = found.answers.find((answer) => answer.next !== undefined)?.next;
    const all = { items: [...byName.values()], ...(next !== undefined && { next }) };
    return joined({ ...found, answers: [all] }, page.limit, ({ name }) => name);
  }

  async trace(id: number, listener: TraceListener, ended: () => void): Promise<(() => void) | Failure> {
    const worker = this.owner(id);
    return worker instanceof Failure ? worker : this.traces.watch(worker, id, listener, ended);
  }

  private get first(): Worker {
    return this.workers.all[0]!;
  }

  /** The worker that has a client. */
  private owner(id: number): Worker | Failure {
    const node = nodeOf(id);
    return this.workers.ofNode(node) ?? new Failure(`not_found: no worker has node ${node}`);
  }

  /** The worker that has a client, or one through which others are reached. */
  private near(id: number): Worker | undefined {
    return this.workers.ofNode(nodeOf(id)) ?? this.workers.ready[0];
  }

  private async askAll<T>(
    method: keyof WorkerParams,
    params: unknown,
    workers: readonly Worker[] = this.workers.all,
  ): Promise<Answers<T>> {
    const answers: T[] = [];
    const unanswered: string[] = [];
    const all = await Promise.all(workers.map((worker) => ask<T>(worker, method, params)));
    for (const [i, answer] of all.entries()) {
      if (!(answer instanceof Failure)) answers.push(answer);
      else if (answer.code !== 'not_found') unanswered.push(workers[i]!.name);
    }
    return { answers, unanswered };
  }
}

/** What those that were asked answered, and who did not. */
interface Answers<T> {
  readonly answers: T[];
  readonly unanswered: string[];
}

/** The first `limit` items of several pages, by their keys. */
function joined<T, K extends string | number>(
  { answers, unanswered }: Answers<Page<T>>,
  limit: number,
  keyOf: (item: T) => K,
): Page<T> {
  const all = answers.flatMap(({ items }) => items).sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  const items = all.slice(0, limit);
  const last = items.at(-1);
  const more = all.length > limit || answers.some(({ next }) => next !== undefined);
  return {
    items,
    ...(more && last !== undefined && { next: String(keyOf(last)) }),
    ...(unanswered.length > 0 && { unanswered }),
  };
}

/** Asks a worker; a Failure when it says no, or does not answer. */
async function ask<T>(
  worker: Worker | Failure | undefined,
  method: keyof WorkerParams,
  params: unknown,
): Promise<T | Failure> {
  if (worker instanceof Failure) return worker;
  if (!worker) return new Failure('not_connected: no worker runs');
  try {
    return (await worker.request(method, params)) as T;
  } catch (error) {
    const code = error instanceof MoonwireError ? error.code : 'internal';
    return new Failure(`${code}: ${messageOf(error)}`);
  }
}

/** Asks a worker; rejects with MoonwireError. */
async function demand<T>(worker: Worker, method: keyof WorkerParams, params: unknown): Promise<T> {
  const answer = await ask<T>(worker, method, params);
  if (answer instanceof Failure) throw errorOf(answer);
  return answer;
}

function failureOf(answer: unknown): Failure | undefined {
  return answer instanceof Failure ? answer : undefined;
}
