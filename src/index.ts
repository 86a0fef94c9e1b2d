/**
 * Moonwire inside another program:
 *
 *     import { loadConfig, startEngine } from 'moonwire';
 *
 *     const { config } = loadConfig('gateway.yaml');
 *     const gateway = await startEngine(config, console);
 *     …
 *     await gateway.stop();
 *
 * Several gateways may run in one process; they share no state.
 */

export type { Codec } from './codecs/codec.js';
export { CodecRegistry, defaultCodecs } from './codecs/registry.js';
export { loadConfig, parseConfig } from './config/load.js';
export { ConfigError, describeProblems, type Problem } from './config/problems.js';
export type { Config } from './config/schema.js';
export { ERROR_CODES, type ErrorCode, MoonwireError } from './errors.js';
export { type LogFields, type Logger, type LogLevel, silentLogger } from './log.js';
export { type Gateway, type GatewayOptions, startEngine } from './main.js';
export { version } from './package.js';
export { ScriptError } from './script/script-error.js';
export type { Connection, ConnectionHandler } from './transports/connection.js';
export { memoryPair } from './transports/memory.js';
