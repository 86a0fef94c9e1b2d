/** muxado v2: many streams over one connection. Public as `moonwire/mux`; README.md is the wire specification. */
export type { SessionConfig, SessionOptions } from './config.js';
export type { SessionCounters } from './counters.js';
export { FrameDecoder } from './decoder.js';
export { FrameEncoder } from './encoder.js';
export { MUX_CODES, type MuxCode, MuxError } from './errors.js';
export {
  describeFrame,
  FIN,
  type FrameHeader,
  FrameType,
  SYN,
} from './frame.js';
export { HEARTBEAT_TYPE, Heartbeat, type HeartbeatOptions } from './heartbeat.js';
export { Session, type SessionEnd } from './session.js';
export type { MuxStream } from './stream.js';
export { TypedSession } from './typed.js';
