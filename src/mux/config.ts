/**
 * Every setting of a session: type, unit, range and default in one place, checked once before any I/O.
 */
import { MoonwireError } from '../errors.js';
import { MAX_31, MAX_LENGTH } from './frame.js';
import { checkedNumber } from './range.js';

/** What a session is told when it is made; everything but `role` has a default. */
export interface SessionOptions {
  /** Which end this is: the client opens odd stream ids, the server even ones. The peer must be the other. */
  role: 'client' | 'server';
  /** Bytes of each stream's window in each direction. Not negotiated: must equal the peer's. */
  windowBytes?: number;
  /** Streams of the peer that may wait to be accepted; the next one is reset (accept queue full). */
  acceptBacklog?: number;
  /** Streams of the peer that may be open at once; the next one is reset (stream refused). */
  maxStreams?: number;
  /** Bytes received and not yet read, over all streams; the stream that passes it is reset (enhance your calm). */
  maxUnreadBytes?: number;
  /** Bytes a stream holds for sending before its `write` calls wait. */
  sendBufferBytes?: number;
  /** Bytes gathered into one write to the transport; more lets bulk flow faster, less keeps small messages quick. */
  gatherBytes?: number;
  /** Milliseconds the transport may take nothing of what was written; then the session ends (write timeout). */
  writeTimeoutMs?: number;
  /** Milliseconds a closing session waits for the transport to deliver its last bytes. */
  closeTimeoutMs?: number;
  /** Milliseconds a typed stream's first four bytes may take. */
  typeTimeoutMs?: number;
  /** Debug bytes kept of a GOAWAY received, and sent in one. */
  maxDebugBytes?: number;
}

/** A session's settings, complete. */
export type SessionConfig = Required<SessionOptions>;

/** Each number's least value, greatest value and default. */
const NUMBERS: Record<
  Exclude<keyof SessionOptions, 'role'>,
  readonly [least: number, most: number, initial: number]
> = {
  windowBytes: [1024, MAX_31, 256 * 1024],
  acceptBacklog: [1, 65_535, 128],
  maxStreams: [1, 1_000_000, 16_384],
  maxUnreadBytes: [1024, 2 ** 40, 64 * 1024 * 1024],
  sendBufferBytes: [1, MAX_31, 64 * 1024],
  gatherBytes: [1024, MAX_LENGTH, 128 * 1024],
  writeTimeoutMs: [10, MAX_31, 60_000],
  closeTimeoutMs: [1, MAX_31, 1000],
  typeTimeoutMs: [10, MAX_31, 10_000],
  maxDebugBytes: [0, 1024 * 1024, 64 * 1024],
};

/**
 * Completes and checks the settings.
 * @throws MoonwireError `invalid_argument`, naming the setting and its range
 */
export function sessionConfig(options: SessionOptions): SessionConfig {
  const { role } = options;
  if (role !== 'client' && role !== 'server') {
    throw new MoonwireError('invalid_argument', `role must be 'client' or 'server'`, 'role');
  }
  const config = { role } as SessionConfig;
  for (const [name, [least, most, initial]] of Object.entries(NUMBERS) as Entries<typeof NUMBERS>) {
    const value = options[name] ?? initial;
    config[name] = checkedNumber(name, value, least, most);
  }
  return config;
}

type Entries<T> = { [K in keyof T]: [K, T[K]] }[keyof T][];
