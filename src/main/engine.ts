/** Builds an engine: its options from a configuration, and the parts it needs of its owner. */

import { defaultCodecs } from '../codecs/registry.js';
import type { Config } from '../config/schema.js';
import { Engine, type EngineOptions, type EngineParts, type Report } from '../engine/engine.js';
import { MoonwireError, messageOf } from '../errors.js';
import type { Logger } from '../log.js';
import { LIBRARY_ROOT } from '../package.js';
import { clientId, nodeOf } from '../store/ids.js';
import { MemoryKeyValue } from '../store/keyvalue.js';
import type { Store } from '../store/store.js';
import type { GatewayOptions } from './process.js';

/** What an engine runs, from a configuration. */
export function engineOptions(config: Config): EngineOptions {
  const { engine, script, memory } = config;
  return {
    name: engine.name,
    labels: engine.labels,
    script: scriptSettings(script),
    servers: engine.servers,
    links: engine.links,
    addedLinks: engine.addedLinks,
    luavm: engine.luavm,
    limits: engine.limits,
    memory,
    mqtt: engine.mqtt,
  };
}

/** How scripts are run, from a configuration. */
export function scriptSettings(script: Config['script']): EngineOptions['script'] {
  return { ...script, roots: [...script.roots, LIBRARY_ROOT] };
}

/** What an engine needs of an open store. `roots`: where its scripts are. */
export function engineParts(
  roots: readonly string[],
  store: Store,
  log: Logger,
  own: GatewayOptions & Pick<EngineParts, 'sockets' | 'links'>,
  report: (report: Report) => void | Promise<void>,
): EngineParts {
  const { identity, ids } = store;
  return {
    log,
    node: () => identity.node,
    isOwn: (id) => nodeOf(id) === identity.node || nodeOf(id) === 0,
    nextClientId: () => clientId(identity.node, ids.nextSequence()),
    report,
    values: store.kv,
    sockets: own.sockets,
    links: own.links,
    codecs: own.codecs ?? defaultCodecs(roots),
  };
}

/** An engine that keeps nothing and reports nowhere: for checks and simulated devices. */
export function buildTransientEngine(options: EngineOptions, log: Logger): Engine {
  let clients = 0;
  return new Engine(options, {
    log,
    node: () => 0,
    isOwn: () => true,
    nextClientId: () => ++clients,
    report: () => {},
    values: new MemoryKeyValue(),
    codecs: defaultCodecs(options.script.roots),
  });
}

/** What a check found: what would keep an engine from running, and what is good to know. */
export interface Findings {
  readonly problems: string[];
  readonly notices: string[];
}

/** What is found of an engine without running a handler or opening anything. */
export function checkEngine(config: Config, log: Logger): Findings {
  const engine = buildTransientEngine(engineOptions(config), log);
  const problems: string[] = [];
  const notices: string[] = [];
  for (const part of [...engine.servers, ...engine.links]) {
    const { station } = part;
    try {
      station.compile();
      const { notCompiled } = station.program;
      if (notCompiled !== undefined) {
        notices.push(`${part.config.name}: its protocol is interpreted, not compiled: ${notCompiled}`);
      }
    } catch (error) {
      problems.push(`${part.config.name}: ${messageOf(error)}`);
    } finally {
      // A script may start timers outside any handler.
      station.program?.timers.clear();
    }
    const problem = part.problem();
    if (problem !== undefined) problems.push(problem);
  }
  return { problems, notices };
}

/** The configuration with device paths in place of a board's names for serial ports. */
export async function withPorts(config: Config, log: Logger): Promise<Config> {
  if (!config.engine.links.some(({ kind }) => kind === 'serial')) return config;
  const { Machine } = await import('../boards/machine.js');
  const { resolvePorts } = await import('../boards/ports.js');
  const { listSerialPorts } = await import('../transports/serialports.js');
  const resolved = resolvePorts(config, await listSerialPorts(), new Machine(), log);
  if (resolved.problems.length === 0) return resolved.config;
  throw new MoonwireError('invalid_argument', resolved.problems.join('\n'), 'engine.links');
}
