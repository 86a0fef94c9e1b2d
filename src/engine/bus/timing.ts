/** How long things take on a line, from its settings. All times in seconds. */

import type { LinkConfig } from '../../config/schema.js';
import type { BreakerSettings } from './breaker.js';

/** What a bus is told; see `bus` of a link in the configuration. */
export type BusConfig = NonNullable<LinkConfig['bus']>;

/** What a bus works by. */
export interface BusSettings {
  /** Time one character takes; 0 where that is not known, over a network. */
  readonly character: number;
  /** A converter collects a reply before it hands it over, so that the first byte comes with the last. */
  readonly collects: boolean;
  /** From the end of a request to the first byte of its reply. */
  readonly timeout: number;
  readonly retries: number;
  /** Silence between frames, and after a broadcast. */
  readonly gap: number;
  readonly turnaround: number;
  /** Silence within a frame that ends it. */
  readonly silence: number;
  readonly echo: 'auto' | 'on' | 'off';
  /** Requests that may wait, and how long. */
  readonly queue: number;
  readonly queueSeconds: number;
  readonly breaker: BreakerSettings;
}

/** Start bit, eight data bits, parity or a second stop bit, stop bit (Modbus over Serial Line V1.02, 2.5.1). */
const CHARACTER_BITS = 11;
/** Silence between frames in characters, and its least (2.5.1.1: fixed above 19,200 Bd). */
const GAP_CHARACTERS = 3.5;
const MIN_GAP = 0.00175;
/** Silence within a frame: USB adapters and this process's timers add tens of milliseconds to what the line shows. */
const SILENCE_CHARACTERS = 20;
const MIN_SILENCE = 0.1;
const SERIAL_TIMEOUT = 0.5;
const NETWORK_TIMEOUT = 1;
/** 100 to 200 ms are usual at 9600 Bd (2.4.1). */
const TURNAROUND = 0.1;
const BREAKER: BreakerSettings = { failures: 3, minSeconds: 5, maxSeconds: 300 };

/** Completes the settings of a bus. `serialRate`: bits a second of a serial port; undefined over a network. */
export function busSettings(config: BusConfig = {}, serialRate?: number): BusSettings {
  const serial = serialRate !== undefined;
  const baudRate = serialRate ?? config.baudRate;
  const character = baudRate === undefined ? 0 : CHARACTER_BITS / baudRate;
  const { breaker } = config;
  return {
    character,
    collects: character > 0 && !serial,
    timeout: config.timeout ?? (serial ? SERIAL_TIMEOUT : NETWORK_TIMEOUT),
    retries: config.retries ?? 1,
    gap: config.gap ?? (character > 0 ? Math.max(MIN_GAP, GAP_CHARACTERS * character) : 0),
    turnaround: config.turnaround ?? TURNAROUND,
    silence: config.silence ?? Math.max(MIN_SILENCE, SILENCE_CHARACTERS * character),
    echo: config.echo ?? (serial ? 'auto' : 'off'),
    queue: config.queue ?? 256,
    queueSeconds: config.queueSeconds ?? 30,
    breaker: {
      failures: breaker?.failures ?? BREAKER.failures,
      minSeconds: breaker?.minSeconds ?? BREAKER.minSeconds,
      maxSeconds: breaker?.maxSeconds ?? BREAKER.maxSeconds,
    },
  };
}
