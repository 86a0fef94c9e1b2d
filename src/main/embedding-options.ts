/** What a program asks of an engine, and the configuration and the parts that this makes. */

import type { Codec } from '../codecs/codec.js';
import { defaultCodecs } from '../codecs/registry.js';
import { checkSettings } from '../config/load.js';
import type { Config, EngineConfig, LinkConfig, ServerConfig, SinkConfig } from '../config/schema.js';
import type { Handlers as HandlersOf } from '../engine/embedded/handlers.js';
import type { Embedded, Transport } from '../engine/embedded/settings.js';
import { MoonwireError } from '../errors.js';
import { type Logger, silentLogger } from '../log.js';
import type { Sink } from '../sinks/sink.js';
import type { MoonwireEngine } from './embedding.js';
import type { GatewayOptions } from './process.js';

/**
 * Settings as they may be given: durations and sizes also as text ("5s", "64KiB"), one text in place of a list where the
 * schema has it, what has a default left out.
 */
export type Given<T> = T extends number
  ? number | string
  : T extends readonly string[]
    ? string | readonly string[]
    : T extends readonly (infer I)[]
      ? readonly Given<I>[]
      : T extends object
        ? { readonly [K in keyof T]?: Given<T[K]> }
        : T;

/** Leaves keys out of each member of a union. */
type Without<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

/** Handlers of a program. `Context`: what it keeps with a client. */
export type Handlers<Context = unknown> = HandlersOf<Context, MoonwireEngine>;

/** Who speaks with the peers of a server or link: a script in Lua, or handlers of the program. */
type Speaker =
  | { readonly entry: string; readonly handlers?: undefined }
  | { readonly handlers: Handlers; readonly entry?: undefined };

/** A server: the settings of one in a configuration file, with a script or handlers. */
export type ServerOptions = Given<Omit<ServerConfig, 'entry' | 'transport'>> &
  Speaker & {
    /** `tcp`, `udp` or `ws`, or the name of one of `transports`. */
    readonly transport?: string;
  };

/** A link: the settings of one in a configuration file, with a script or handlers. */
export type LinkOptions = Given<Without<LinkConfig, 'kind' | 'entry'>> &
  Speaker & {
    /** The name of one of `transports`, in place of `tcp`, `serial`, … */
    readonly transport?: string;
  };

/** Settings that all sinks have. */
type SinkSettings = Given<
  Pick<SinkConfig, 'devices' | 'topics' | 'batch' | 'timeout' | 'retry' | 'deadLetterBytes'>
>;

/** A sink of the program. Reports come at least once; see {@link Sink.deliver}. */
export interface OwnSink extends SinkSettings {
  /** Name in logs, metrics and the API, and of its place in the store. */
  readonly name: string;
  deliver: Sink['deliver'];
  /** Called when the engine stops. */
  close?: Sink['close'];
}

/** A sink: the settings of one in a configuration file, or one of the program. */
export type SinkOptions = Given<Without<SinkConfig, 'kind'>> | OwnSink;

/** What `engine` of a configuration file holds that means the same here. */
type EngineSettings = Given<
  Omit<EngineConfig, 'servers' | 'links' | 'centerRegistry' | 'workers' | 'balance'>
>;

/**
 * What `createEngine` takes: what `engine` of a configuration file holds, and beside it `script`, `store`, `sinks` and
 * `access` of one. Paths are relative to the working folder.
 */
export interface CreateEngineOptions extends EngineSettings {
  /** What devices connect to. */
  readonly servers?: readonly ServerOptions[];
  /** Connections the engine opens itself. */
  readonly links?: readonly LinkOptions[];
  /** Centres to join, tried in turn: `tls://center.example:6786`. None: the engine works alone. */
  readonly centerRegistry?: string | readonly string[];
  /** The API; it is opened only where this is given. */
  readonly apiServer?: Given<EngineConfig['apiServer']>;
  /** Who may use the API. */
  readonly access?: Given<Config['access']>;
  /** Lua: where it is found and what it may use. */
  readonly script?: Given<Config['script']>;
  /** Where state is kept. Without it, all is in memory: then there can be neither sinks nor a centre. */
  readonly store?: Given<Config['store']>;
  /** Where reports are delivered. */
  readonly sinks?: readonly SinkOptions[];
  /** Where the log goes; nowhere unless it is given. */
  readonly log?: Logger;
  /** Codecs for scripts, beside those Moonwire brings. */
  readonly codecs?: readonly Codec[];
  /** Ways to reach devices, by the name that `transport` of a server or link gives. */
  readonly transports?: Readonly<Record<string, Transport>>;
}

/** What an engine is made of. */
export interface Blueprint {
  readonly config: Config;
  readonly log: Logger;
  /** Whether it has an API. */
  readonly api: boolean;
  readonly parts: GatewayOptions;
}

/** Name of the options in problems. */
const PLACE = 'createEngine';
/** Stands for the script where there are handlers. */
const NO_SCRIPT = 'handlers';

/** Checks options. Throws ConfigError with all problems, or MoonwireError. */
export function blueprintOf(options: CreateEngineOptions): Blueprint {
  const { servers = [], links = [], sinks = [], script, store, access, ...others } = options;
  const { log = silentLogger, codecs = [], transports = {}, ...engine } = others;
  const served = servers.map((server) => part(server, transports));
  const linked = links.map((link) => part(link, transports));
  const own = sinks.filter((sink): sink is OwnSink => 'deliver' in sink);
  const settings = (entry?: string) => ({
    engine: {
      ...engine,
      servers: served.map(({ written, given }) => ({
        ...written,
        ...(given.handlers && { entry }),
        ...(given.own && { port: written.port ?? 0 }),
      })),
      links: linked.map(({ written, given }) => ({
        ...written,
        ...(given.handlers && { entry }),
        // A transport of the program stands in the place of one that needs nothing to be checked.
        ...(given.own && { tcp: { host: 'localhost', port: 1 } }),
      })),
    },
    script,
    store,
    access,
    sinks: sinks.map((sink) => ('deliver' in sink ? configured(sink) : sink)),
  });
  const config = checkSettings(settings(NO_SCRIPT), PLACE, settings());
  const kept = config.sinks.length > 0 || config.engine.centerRegistry.length > 0;
  if (kept && store === undefined)
    throw new MoonwireError('invalid_argument', `${PLACE}: sinks and a centre need store: { path }`, 'store');
  if (config.engine.workers !== 0)
    throw new MoonwireError('invalid_argument', `${PLACE}: a program has no workers`, 'workers');
  const registry = defaultCodecs(config.script.roots);
  for (const codec of codecs) registry.register(codec);
  return {
    config: {
      ...config,
      engine: {
        ...config.engine,
        servers: config.engine.servers.map((server, i) => ({ ...server, ...served[i]!.given })),
        links: config.engine.links.map((link, i) => ({ ...link, ...linked[i]!.given })),
      },
    },
    log,
    api: options.apiServer !== undefined,
    parts: {
      codecs: registry,
      memory: store === undefined,
      sinks: new Map(own.map((sink) => [sink.name, asSink(sink)])),
    },
  };
}

/** A server or link taken apart: its settings, and what the program gives for it. */
function part(
  { handlers, transport, ...settings }: ServerOptions | LinkOptions,
  transports: Record<string, Transport>,
): { written: Record<string, unknown>; given: Embedded } {
  const named: Record<string, unknown> = settings;
  if (handlers && named.entry !== undefined)
    throw new MoonwireError('invalid_argument', `${PLACE}: needs entry or handlers, not both`, 'handlers');
  if (transport === undefined) return { written: named, given: { handlers } };
  const own = transports[transport];
  if (!own) return { written: { ...named, transport }, given: { handlers } };
  return {
    written: { ...named, name: named.name ?? transport },
    given: { handlers, own: { name: transport, transport: own } },
  };
}

/** A sink of the program as the configuration knows it: one that needs no settings of its own. */
function configured({ deliver: _, close: __, ...settings }: OwnSink): object {
  return { ...settings, stdout: {} };
}

function asSink(sink: OwnSink): Sink {
  return {
    deliver: async (batch, signal) => sink.deliver(batch, signal),
    close: async () => sink.close?.(),
  };
}
