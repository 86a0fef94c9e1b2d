/** Brings what runs from one configuration to another, as far as that goes while it runs. */

import { setImmediate as turn } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import {
  type Change,
  type ConfigChanges,
  compareConfigs,
  listChanges,
  type PartChange,
  type PartChanges,
} from '../config/changes.js';
import type { Config, LinkConfig, ServerConfig } from '../config/schema.js';
import type { Engine } from '../engine/engine.js';
import { MoonwireError, messageOf } from '../errors.js';
import { type Logger, silentLogger } from '../log.js';
import { ScriptError } from '../script/script-error.js';
import type { Sinks } from '../sinks/sinks.js';
import { checkEngine, scriptSettings, withPorts } from './engine.js';

/** The file that a configuration comes from. */
export interface ConfigSource {
  readonly file: string;
  /** Whether the process began with what the file says, or with what ran before because it cannot be used. */
  readonly source: 'file' | 'last_good';
  /** Reads it now. Throws ConfigError. */
  read(): Config;
  /** What was read last runs. Never rejects. */
  keep(): Promise<void>;
  /** This is in effect from now on. */
  inEffect(config: Config): void;
}

/** Takes back a step that was done. */
type Undo = () => Promise<unknown>;

/** One thing to do, and what takes it back. */
interface Step {
  readonly run: () => Promise<unknown>;
  readonly undo: Undo;
}

/** What can be done with a server or link. */
type Actions<T> = Readonly<Record<'add' | 'change' | 'replace' | 'remove', (part: T) => Promise<unknown>>>;

export class Reconfiguration {
  /** What runs here, as soon as it does. */
  engine: Engine | undefined;
  sinks: Sinks | undefined;
  /** Where the configuration comes from; undefined when that is no file. */
  readonly source?: () => Pick<ConfigSource, 'file' | 'source'> & { readonly applied: number };
  private origin: ConfigSource['source'] = 'file';
  private appliedAt = Date.now() / 1000;
  private turn: Promise<unknown> = Promise.resolve();

  /** `running`: what the process was started with. */
  constructor(
    private running: Config,
    private readonly log: Logger,
    private readonly from?: ConfigSource,
  ) {
    if (!from) return;
    this.origin = from.source;
    this.source = () => ({ file: from.file, source: this.origin, applied: this.appliedAt });
  }

  /** What runs: the last one applied, but for what takes a restart. */
  get config(): Config {
    return this.running;
  }

  /** What {@link reload} would do now. Rejects as that does, for what can be known beforehand. */
  async plan(): Promise<Change[]> {
    const next = this.fromFile();
    const changes = this.compare(next);
    await this.check(next, changes);
    return listChanges(changes);
  }

  /** Reads the file again and applies it; resolves to what was done, and what takes a restart. Rejects as {@link apply}. */
  reload(): Promise<Change[]> {
    return this.inTurn(async () => {
      const next = this.fromFile();
      const done = await this.applyNow(next);
      if (done.length === 0) this.log.info('the configuration says nothing new');
      this.origin = 'file';
      await this.from?.keep();
      return done;
    });
  }

  /**
   * Applies a configuration: what did not change is not touched. Rejects with MoonwireError or ScriptError when
   * something of it cannot be, and then everything runs as before; what was closed meanwhile has been opened again.
   */
  apply(next: Config): Promise<Change[]> {
    return this.inTurn(() => this.applyNow(next));
  }

  private fromFile(): Config {
    if (!this.from) throw new MoonwireError('not_found', 'the configuration comes from no file here');
    return this.from.read();
  }

  private inTurn<T>(run: () => Promise<T>): Promise<T> {
    const done = this.turn.then(run);
    this.turn = done.catch(() => {});
    return done;
  }

  private compare(next: Config): ConfigChanges {
    let changes = compareConfigs(this.running, next);
    // What runs in other processes, or where nothing keeps reports for sinks, cannot be changed from here.
    if (!this.engine) changes = withRestartOf(withRestartOf(liveHere(changes), 'servers'), 'links');
    return this.sinks ? changes : withRestartOf(changes, 'sinks');
  }

  /** Rejects with `invalid_argument` and all that is wrong with what is new. */
  private async check(next: Config, { servers, links }: ConfigChanges): Promise<void> {
    if (!this.engine) return;
    const parts = [
      ...newOf(servers).map((server) => ({ servers: [server], links: [] })),
      ...newOf(links).map((link) => ({ servers: [], links: [link] })),
    ];
    const problems: string[] = [];
    for (const part of parts) {
      // Scripts are compiled, which takes its time: messages are served in between.
      await turn();
      problems.push(...checkEngine({ ...next, engine: { ...next.engine, ...part } }, silentLogger).problems);
    }
    if (problems.length > 0) throw new MoonwireError('invalid_argument', problems.join('\n'));
  }

  private async applyNow(next: Config): Promise<Change[]> {
    const changes = this.compare(next);
    const list = listChanges(changes);
    await this.check(next, changes);
    const undo: Undo[] = [];
    const { engine } = this;
    const before = engine?.options.script;
    try {
      if (engine) await this.applyToEngine(engine, changes, next, undo);
      await this.sinks?.change(next.sinks);
      engine?.reconfigure(next.engine);
    } catch (error) {
      this.log.error('the configuration cannot be applied; everything goes on as before', {
        reason: messageOf(error),
      });
      // What is opened again may use what it could before.
      if (engine) engine.options.script = before!;
      await this.takeBack(undo);
      throw error instanceof ScriptError ? new MoonwireError('invalid_argument', error.message) : error;
    }
    this.running = this.merged(next);
    this.appliedAt = Date.now() / 1000;
    this.from?.inEffect(this.running);
    for (const { path, effect, settings } of list) {
      const level = effect === 'restart' ? 'warn' : 'info';
      this.log[level](
        effect === 'restart' ? `${path} changed: that takes a restart` : `${path}: ${DONE[effect]}`,
        { ...(settings && { settings: settings.join(', ') }) },
      );
    }
    return list;
  }

  private async applyToEngine(
    engine: Engine,
    changes: ConfigChanges,
    next: Config,
    undo: Undo[],
  ): Promise<void> {
    const sameScripts = isDeepStrictEqual(next.script, this.running.script);
    if (!sameScripts) {
      // For what begins now; the others follow once it could.
      engine.options.script = scriptSettings(next.script);
      undo.push(() => renewScripts(engine));
    }
    await this.applyParts(engine, changes, next, undo);
    if (!sameScripts) await renewScripts(engine);
  }

  /** In an order in which a failure can be taken back with as few connections lost as can be. */
  private async applyParts(
    { changes: engine, links: open }: Engine,
    { servers, links }: ConfigChanges,
    next: Config,
    undo: Undo[],
  ): Promise<void> {
    // Links with device paths in place of a board's names: those that are open, and those to come.
    const resolved = new Map<LinkConfig, LinkConfig>();
    for (const link of this.running.engine.links)
      resolved.set(link, open.find(({ config }) => config.name === link.name)!.config);
    const { links: withPaths } = (await withPorts(next, this.log)).engine;
    for (const [i, link] of next.engine.links.entries()) resolved.set(link, withPaths[i]!);
    // A port that is given up is free only then.
    const freed = new Set([...servers.removed, ...servers.replaced.map(({ before }) => before)].map(portOf));
    const isFree = (server: ServerConfig) => !freed.has(portOf(server));
    const ofServers = stepsOf(servers, {
      add: (server) => engine.addServer(server),
      change: (server) => engine.changeServer(server),
      replace: (server) => engine.replaceServer(server),
      remove: ({ name }) => engine.remove(name),
    });
    const ofLinks = stepsOf(links, {
      add: (link) => engine.addLink(resolved.get(link)!),
      change: (link) => engine.changeLink(resolved.get(link)!),
      replace: (link) => engine.replaceLink(resolved.get(link)!),
      remove: ({ name }) => engine.remove(name),
    });
    const order = [
      ...ofServers.added.filter((_, i) => isFree(servers.added[i]!)),
      ...ofServers.changed,
      ...ofLinks.changed,
      ...ofServers.removed,
      ...ofServers.replaced,
      ...ofServers.added.filter((_, i) => !isFree(servers.added[i]!)),
      ...ofLinks.removed,
      ...ofLinks.replaced,
      ...ofLinks.added,
    ];
    for (const step of order) {
      await step.run();
      undo.push(step.undo);
    }
  }

  /** What is in effect once `next` was applied: the settings that take a restart are as they were. */
  private merged(next: Config): Config {
    const { running } = this;
    const { servers, links, limits, luavm } = next.engine;
    return {
      ...running,
      access: next.access,
      logging: { ...running.logging, level: next.logging.level },
      ...(this.sinks && { sinks: next.sinks }),
      ...(this.engine && {
        script: next.script,
        engine: {
          ...running.engine,
          servers,
          links,
          limits,
          luavm: { ...running.engine.luavm, queue: luavm.queue },
        },
      }),
    };
  }

  private async takeBack(undo: Undo[]): Promise<void> {
    for (let step = undo.pop(); step; step = undo.pop()) {
      try {
        await step();
      } catch (error) {
        this.log.error('a step could not be taken back', { reason: messageOf(error) });
      }
    }
  }
}

/** Runs all scripts with what they may use now. */
async function renewScripts({ servers, links }: Engine): Promise<void> {
  for (const { station } of [...servers, ...links]) await station.renew();
}

function stepsOf<T>(
  { added, changed, replaced, removed }: PartChanges<T>,
  { add, change, replace, remove }: Actions<T>,
): Readonly<Record<keyof PartChanges<T>, Step[]>> {
  const both =
    (put: (part: T) => Promise<unknown>) =>
    ({ before, after }: PartChange<T>): Step => ({ run: () => put(after), undo: () => put(before) });
  return {
    added: added.map((part) => ({ run: () => add(part), undo: () => remove(part) })),
    changed: changed.map(both(change)),
    replaced: replaced.map(both(replace)),
    removed: removed.map((part) => ({ run: () => remove(part), undo: () => add(part) })),
  };
}

/** Those that are to run and do not yet, or not so that nothing of them can be wrong. */
function newOf<T>({ added, changed, replaced }: PartChanges<T>): T[] {
  const unsure = changed.filter(({ settings }) => !settings.every((path) => path.startsWith('limits.')));
  return [...added, ...unsure.map(({ after }) => after), ...replaced.map(({ after }) => after)];
}

/** The changes of these parts as ones that take a restart. */
function withRestartOf(changes: ConfigChanges, parts: 'servers' | 'links' | 'sinks'): ConfigChanges {
  const none = { added: [], removed: [], replaced: [], changed: [] };
  const nothing = { servers: none, links: none, sinks: none, live: [], restart: [] };
  const paths = listChanges({ ...nothing, [parts]: changes[parts] }).map(({ path }) => path);
  return { ...changes, [parts]: none, restart: [...changes.restart, ...paths] };
}

/** Only what takes effect without an engine does so at once. */
function liveHere(changes: ConfigChanges): ConfigChanges {
  const isOfEngine = (path: string) => path.startsWith('engine.') || path.startsWith('script');
  const live = changes.live.filter((path) => !isOfEngine(path));
  return { ...changes, live, restart: [...changes.restart, ...changes.live.filter(isOfEngine)] };
}

const DONE = { add: 'added', remove: 'removed', replace: 'replaced', change: 'changed' } as const;

function portOf({ transport, port }: ServerConfig): string {
  return `${transport === 'udp' ? 'udp' : 'tcp'} ${port}`;
}
