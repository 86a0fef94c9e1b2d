/** The kinds of sinks, one row each. What is not configured is not loaded. */

import type { SinkConfig } from '../config/schema.js';
import type { Sink } from './sink.js';

/** A kind of sink. */
export type SinkKind = SinkConfig['kind'];
/** One of `sinks` of that kind. */
type ConfigOf<K extends SinkKind> = Extract<SinkConfig, { kind: K }>;

export type MqttSinkSettings = ConfigOf<'mqtt'>['mqtt'];
export type HttpSinkSettings = ConfigOf<'http'>['http'];
export type RedisSinkSettings = ConfigOf<'redis'>['redis'];
export type FileSinkSettings = ConfigOf<'file'>['file'];

const SINKS: { readonly [K in SinkKind]: (config: ConfigOf<K>) => Promise<Sink> } = {
  mqtt: async ({ mqtt }) => new (await import('./mqtt.js')).MqttSink(mqtt),
  http: async ({ http }) => new (await import('./http.js')).HttpSink(http),
  redis: async ({ redis }) => new (await import('./redis.js')).RedisSink(redis),
  file: async ({ file }) => new (await import('./file.js')).FileSink(file),
  stdout: async () => new (await import('./stdout.js')).StdoutSink(),
};

/** A new sink, which has not connected yet. Throws MoonwireError for settings that do not fit each other. */
export function openSink(config: SinkConfig): Promise<Sink> {
  return (SINKS[config.kind] as (config: SinkConfig) => Promise<Sink>)(config);
}
