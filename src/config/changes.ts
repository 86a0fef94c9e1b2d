/** What differs between two configurations, and what it takes to bring what runs from one to the other. */

import { isDeepStrictEqual } from 'node:util';
import type { Config, LinkConfig, ServerConfig, SinkConfig } from './schema.js';

/** What becomes of what runs: `replace` closes it and opens it anew, `change` leaves its connections as they are. */
export type Effect = 'add' | 'remove' | 'replace' | 'change' | 'restart';

/** One difference. */
export interface Change {
  /** The server, link, sink or setting: `engine.servers.trackers`, `logging.level`. */
  readonly path: string;
  readonly effect: Effect;
  /** Which settings of a server, link or sink differ. */
  readonly settings?: readonly string[];
}

/** Servers, links or sinks that differ, by what becomes of them. */
export interface PartChanges<T> {
  readonly added: readonly T[];
  readonly removed: readonly T[];
  readonly replaced: readonly PartChange<T>[];
  readonly changed: readonly PartChange<T>[];
}

/** One that is there before and after. */
export interface PartChange<T> {
  readonly before: T;
  readonly after: T;
  /** Settings that differ: `limits`, `tls.cert`. */
  readonly settings: readonly string[];
}

/** All differences. */
export interface ConfigChanges {
  readonly servers: PartChanges<ServerConfig>;
  readonly links: PartChanges<LinkConfig>;
  readonly sinks: PartChanges<SinkConfig>;
  /** Other settings that take effect while everything goes on, and those that take a restart. */
  readonly live: readonly string[];
  readonly restart: readonly string[];
}

/** Settings outside servers, links and sinks that take effect at once; a name stands for all beneath it. */
const LIVE = ['access', 'logging.level', 'script', 'engine.limits', 'engine.luavm.queue'];
/** Those of a server or link that its clients outlive. */
const LIVE_PART = ['limits', 'entry', 'options', 'byteCodeExpires'];
const LIVE_SERVER = [...LIVE_PART, 'tls', 'websocket'];
const LIVE_LINK = [...LIVE_PART, 'reconnect'];

/** Compares two configurations. Servers, links and sinks are the same where their names are. */
export function compareConfigs(before: Config, after: Config): ConfigChanges {
  const rest = differences(others(before), others(after));
  return {
    servers: compareParts(before.engine.servers, after.engine.servers, LIVE_SERVER),
    links: compareParts(before.engine.links, after.engine.links, LIVE_LINK),
    sinks: compareParts(before.sinks, after.sinks, []),
    live: rest.filter((path) => isAmong(path, LIVE)),
    restart: rest.filter((path) => !isAmong(path, LIVE)),
  };
}

/** The changes in the order of the file's sections, for people and the API. */
export function listChanges(changes: ConfigChanges): Change[] {
  return [
    ...listParts('engine.servers', changes.servers),
    ...listParts('engine.links', changes.links),
    ...listParts('sinks', changes.sinks),
    ...changes.live.map((path): Change => ({ path, effect: 'change' })),
    ...changes.restart.map((path): Change => ({ path, effect: 'restart' })),
  ];
}

function listParts<T extends { name: string }>(section: string, parts: PartChanges<T>): Change[] {
  const one = (effect: Effect, { name }: T, settings?: readonly string[]): Change => ({
    path: `${section}.${name}`,
    effect,
    ...(settings && { settings }),
  });
  return [
    ...parts.added.map((part) => one('add', part)),
    ...parts.removed.map((part) => one('remove', part)),
    ...parts.replaced.map(({ after, settings }) => one('replace', after, settings)),
    ...parts.changed.map(({ after, settings }) => one('change', after, settings)),
  ];
}

function compareParts<T extends { name: string }>(
  before: readonly T[],
  after: readonly T[],
  live: readonly string[],
): PartChanges<T> {
  const known = new Map(before.map((part) => [part.name, part]));
  const names = new Set(after.map(({ name }) => name));
  const both = after.flatMap((part): PartChange<T>[] => {
    const old = known.get(part.name);
    const settings = old ? differences(old, part) : [];
    return old && settings.length > 0 ? [{ before: old, after: part, settings }] : [];
  });
  const outlived = ({ settings }: PartChange<T>) => settings.every((path) => isAmong(path, live));
  return {
    added: after.filter(({ name }) => !known.has(name)),
    removed: before.filter(({ name }) => !names.has(name)),
    replaced: both.filter((change) => !outlived(change)),
    changed: both.filter(outlived),
  };
}

/** What is compared setting by setting. */
function others({ sinks: _, ...config }: Config): object {
  const { servers: __, links: ___, ...engine } = config.engine;
  return { ...config, engine };
}

/** Paths of settings that differ, of maps those within. */
function differences(before: object, after: object, prefix = ''): string[] {
  const values: readonly Record<string, unknown>[] = [before as never, after as never];
  const keys = new Set(values.flatMap((value) => Object.keys(value)));
  return [...keys].flatMap((key) => {
    const [old, next] = values.map((value) => value[key]);
    if (isDeepStrictEqual(old, next)) return [];
    const path = prefix + key;
    return isSection(old) && isSection(next) && !isAmong(path, LEAVES)
      ? differences(old, next, `${path}.`)
      : [path];
  });
}

/** Maps whose parts are not told apart. */
const LEAVES = ['options', 'access', 'engine.labels', 'alerts.headers', 'headers'];

function isSection(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isAmong(path: string, names: readonly string[]): boolean {
  return names.some((name) => path === name || path.startsWith(`${name}.`));
}
