/**
 * Moonwire inside another program: an engine whose devices are served by handlers of the program, or by scripts:
 *
 *     import { createEngine, lines } from 'moonwire';
 *
 *     const engine = createEngine({
 *       servers: [{ port: 9000, handlers: { parse: lines(), onData: (client, line) => client.send(`echo ${line}\n`) } }],
 *     });
 *     await engine.start();
 *     …
 *     await engine.stop();
 *
 * or a gateway as a configuration file describes it: `startEngine(loadConfig('gateway.yaml').config, console)`. Several
 * may run in one process; they share no state.
 */

export type { DiscardReason, Framer, FramerSpec, OnDiscard } from './bytes/framer.js';
export { FRAMER_NAMES, framer } from './bytes/framers.js';
export { lines } from './bytes/lines.js';
export type { Codec } from './codecs/codec.js';
export { CodecRegistry, defaultCodecs } from './codecs/registry.js';
export { loadConfig, parseConfig } from './config/load.js';
export { ConfigError, describeProblems, type Problem } from './config/problems.js';
export type { Config } from './config/schema.js';
export type {
  EngineAnswer,
  EngineClient,
  EngineRequest,
  HandlerStats,
  Parse,
  WebSocketMessage,
} from './engine/embedded/handlers.js';
export type { Transport, TransportOptions } from './engine/embedded/settings.js';
export type { Report } from './engine/engine.js';
export type { Published } from './engine/mesh.js';
export { ERROR_CODES, type ErrorCode, MoonwireError } from './errors.js';
export { type LogFields, type Logger, type LogLevel, silentLogger } from './log.js';
export {
  type CreateEngineOptions,
  createEngine,
  type EngineEvents,
  type Gateway,
  type GatewayOptions,
  type Handlers,
  type LinkOptions,
  type MoonwireEngine,
  type OwnSink,
  type ReportOptions,
  type ServerInfo,
  type ServerOptions,
  type SinkOptions,
  startEngine,
} from './main.js';
export { version } from './package.js';
export { ScriptError } from './script/script-error.js';
export { Busy, type Delivery, Rejected, type Sink } from './sinks/sink.js';
export type {
  Connection,
  ConnectionHandler,
  Handshake,
  Listener,
  ListenerCounters,
  MessageType,
  OnConnection,
  TlsFacts,
} from './transports/connection.js';
export { Endpoint } from './transports/endpoint.js';
export { memoryPair } from './transports/memory.js';
