/** Brings what runs from one configuration to another, as far as that goes while it runs. */

import { isDeepStrictEqual } from 'node:util';
import { type Change, type ConfigChanges, compareConfigs, listChanges } from '../config/changes.js';
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
  /** What was read last runs. */
  keep(): void;
  /** This is in effect from now on. */
  inEffect(config: Config): void;
}

/** Takes back a step that was done. */
type Undo = () => Promise<unknown>;

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

  /** What {@link reload} would do now. Throws as that rejects, for what can be known beforehand. */
  plan(): Change[] {
    const next = this.fromFile();
    const changes = this.compare(next);
    this.check(next);
    return listChanges(changes);
  }

  /** Reads the file again and applies it; resolves to what was done, and what takes a restart. Rejects as {@link apply}. */
  reload(): Promise<Change[]> {
    return this.inTurn(async () => {
      const next = this.fromFile();
      const done = await this.applyNow(next);
      if (done.length === 0) this.log.info('the configuration says nothing new');
      this.origin = 'file';
      this.from?.keep();
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
    if (!this.engine) changes = withRestartOf(withRestartOf(changes, 'servers'), 'links');
    return this.sinks ? changes : withRestartOf(changes, 'sinks');
  }

  /** Throws `invalid_argument` with all that is wrong with what is new. */
  private check(next: Config): void {
    if (!this.engine) return;
    const { servers, links } = this.compare(next);
    const touched = [servers, links].map(({ added, replaced, changed }) =>
      [...added, ...[...replaced, ...changed].map(({ after }) => after)].map(({ name }) => name),
    );
    const isTouched = ({ name }: { name: string }, i: number) => touched[i]!.includes(name);
    const { problems } = checkEngine(
      {
        ...next,
        engine: {
          ...next.engine,
          servers: next.engine.servers.filter((server) => isTouched(server, 0)),
          links: next.engine.links.filter((link) => isTouched(link, 1)),
        },
      },
      silentLogger,
    );
    if (problems.length > 0) throw new MoonwireError('invalid_argument', problems.join('\n'));
  }

  private async applyNow(next: Config): Promise<Change[]> {
    const changes = this.compare(next);
    const list = listChanges(changes);
    this.check(next);
    const undo: Undo[] = [];
    try {
      if (this.engine) await this.applyParts(this.engine, changes, await withPorts(next, this.log), undo);
      await this.renewScripts(next, undo);
      await this.sinks?.change(next.sinks);
    } catch (error) {
      this.log.error('the configuration cannot be applied; everything goes on as before', {
        reason: messageOf(error),
      });
      await this.takeBack(undo);
      throw error instanceof ScriptError ? new MoonwireError('invalid_argument', error.message) : error;
    }
    this.running = merged(this.running, next, this.sinks !== undefined);
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

  /** In an order in which a failure can be taken back with as few connections lost as can be. */
  private async applyParts(
    { changes: engine }: Engine,
    { servers, links }: ConfigChanges,
    next: Config,
    undo: Undo[],
  ): Promise<void> {
    const resolved = new Map(next.engine.links.map((link) => [link.name, link]));
    const linkOf = ({ name }: LinkConfig): LinkConfig => resolved.get(name)!;
    // A port that is given up is free only then.
    const freed = new Set([...servers.removed, ...servers.replaced.map(({ before }) => before)].map(portOf));
    const isFree = (server: ServerConfig) => !freed.has(portOf(server));
    const addServer = async (server: ServerConfig): Promise<void> => {
      await engine.addServer(server);
      undo.push(() => engine.remove(server.name));
    };
    const remove = async (name: string, again: Undo): Promise<void> => {
      await engine.remove(name);
      undo.push(again);
    };
    for (const server of servers.added.filter(isFree)) await addServer(server);
    for (const { before, after } of servers.changed) {
      await engine.changeServer(after);
      undo.push(() => engine.changeServer(before));
    }
    for (const { before, after } of links.changed) {
      const old = this.engine!.links.find(({ config }) => config.name === before.name)!.config;
      await engine.changeLink(linkOf(after));
      undo.push(() => engine.changeLink(old));
    }
    for (const server of servers.removed) await remove(server.name, () => engine.addServer(server));
    for (const { before, after } of servers.replaced) {
      await engine.replaceServer(after);
      undo.push(() => engine.replaceServer(before));
    }
    for (const server of servers.added.filter((added) => !isFree(added))) await addServer(server);
    for (const { name } of links.removed) {
      const old = this.engine!.links.find(({ config }) => config.name === name)!.config;
      await remove(name, () => engine.addLink(old));
    }
    for (const { before, after } of links.replaced) {
      const old = this.engine!.links.find(({ config }) => config.name === before.name)!.config;
      await engine.replaceLink(linkOf(after));
      undo.push(() => engine.replaceLink(old));
    }
    for (const link of links.added) {
      await engine.addLink(linkOf(link));
      undo.push(() => engine.remove(link.name));
    }
  }

  /** Runs all scripts with what they may use now. */
  private async renewScripts({ script }: Config, undo: Undo[]): Promise<void> {
    const { engine } = this;
    if (!engine || isDeepStrictEqual(script, this.running.script)) return;
    const before = engine.options.script;
    const renew = async (settings: typeof before): Promise<void> => {
      engine.options.script = settings;
      for (const { station } of [...engine.servers, ...engine.links]) await station.renew();
    };
    undo.push(() => renew(before));
    await renew(scriptSettings(script));
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

/** The changes of these parts as ones that take a restart. */
function withRestartOf(changes: ConfigChanges, parts: 'servers' | 'links' | 'sinks'): ConfigChanges {
  const none = { added: [], removed: [], replaced: [], changed: [] };
  const nothing = { servers: none, links: none, sinks: none, live: [], restart: [] };
  const paths = listChanges({ ...nothing, [parts]: changes[parts] }).map(({ path }) => path);
  return { ...changes, [parts]: none, restart: [...changes.restart, ...paths] };
}

const DONE = { add: 'added', remove: 'removed', replace: 'replaced', change: 'changed' } as const;

function portOf({ transport, port }: ServerConfig): string {
  return `${transport === 'udp' ? 'udp' : 'tcp'} ${port}`;
}

/** What is in effect once `next` was applied: the settings that take a restart are as they were. */
function merged(running: Config, next: Config, withSinks: boolean): Config {
  const { servers, links } = next.engine;
  return {
    ...running,
    access: next.access,
    script: next.script,
    logging: { ...running.logging, level: next.logging.level },
    ...(withSinks && { sinks: next.sinks }),
    engine: { ...running.engine, servers, links },
  };
}
