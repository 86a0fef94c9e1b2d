/**
 * The schema of a configuration file, put together from its sections, and the type of what it yields.
 */

import type * as v from 'valibot';
import { access } from './sections/access.js';
import { alerts } from './sections/alerts.js';
import { center } from './sections/center.js';
import { dev } from './sections/dev.js';
import { engine } from './sections/engine.js';
import { logging } from './sections/logging.js';
import { memory } from './sections/memory.js';
import { script } from './sections/script.js';
import { sink } from './sections/sinks.js';
import { store } from './sections/store.js';
import { watchdog } from './sections/watchdog.js';
import { list, name, required, section, setting } from './values.js';

/** The whole file. */
export const configSchema = section({
  board: setting(name(), 'auto', 'Board the engine runs on, for the names of its ports; auto finds out.'),
  logging: setting(logging, {}, 'The log.'),
  access: setting(access, {}, 'Who may use the API.'),
  center: setting(center, {}, 'The centre.'),
  engine: setting(engine, {}, 'The engine.'),
  script: setting(script, {}, 'Lua: where it is found and what it may use.'),
  memory: setting(memory, {}, 'Memory of the process.'),
  watchdog: setting(watchdog, {}, 'What ends a process that hangs.'),
  store: setting(store, {}, 'Durable state.'),
  sinks: setting(
    list(required(sink, 'One sink.'), 64),
    [],
    'Where reports are delivered, by the centre or by an engine without one.',
  ),
  alerts: setting(alerts, {}, 'What is told to a webhook when something goes wrong.'),
  dev: setting(dev, {}, 'What only `moonwire dev` does.'),
});

/** Everything below is read only; a changed file yields a new object. */
type Frozen<T> = T extends (infer I)[]
  ? readonly Frozen<I>[]
  : T extends object
    ? { readonly [K in keyof T]: Frozen<T[K]> }
    : T;

/**
 * A checked configuration: every default filled in, durations in seconds, sizes in bytes, scripts and
 * certificates as absolute paths of readable files, names unique.
 */
export type Config = Frozen<v.InferOutput<typeof configSchema>>;
/** `engine` of a configuration. */
export type EngineConfig = Config['engine'];
/** One of `engine.servers`. */
export type ServerConfig = EngineConfig['servers'][number];
/** `tls` of a server, the registry or an API. */
export type ServerTls = NonNullable<ServerConfig['tls']>;
/** `tls` of a link, and `engine.centerTls`. */
export type ClientTls = NonNullable<EngineConfig['centerTls']>;
/** One of `engine.links`; `kind` tells which of `serial`, `tcp`, `udp`, `websocket`, `mqtt` it has. */
export type LinkConfig = EngineConfig['links'][number];
/** One of `dev.simulate`. */
export type SimulatedDevice = Config['dev']['simulate'][number];
/** `alerts` of a configuration. */
export type AlertsConfig = Config['alerts'];
/** `script` of a configuration. */
export type ScriptConfig = Config['script'];
/** `store` of a configuration. */
export type StoreConfig = Config['store'];
/** One of `sinks`; `kind` tells which of `mqtt`, `http`, … it has. */
export type SinkConfig = Config['sinks'][number];
