/** The devices that the centre has heard of: when last, by which engine, what they reported last, and their labels. */

import { cborCodec } from '../codecs/cbor.js';
import { MoonwireError, messageOf } from '../errors.js';
import type { Logger } from '../log.js';
import type { ReportRecord } from '../store/reported.js';
import type { DurableMap } from '../store/store.js';
import type { ReportObserver } from './reports.js';

const CBOR = cborCodec();
const STATE = 's/';
const LABELS = 'l/';

/** Longest id in bytes. */
const MAX_ID_BYTES = 256;
/** Most bytes of the last values, about; longer ones are not kept. */
const MAX_VALUES_BYTES = 4096;
/** What a device takes in the store, about, at the least. */
const LEAST_BYTES = 200;
/** Devices forgotten at a time to make room. */
const DROPPED_AT_ONCE = 64;
/** Milliseconds between two writes of what has changed: what is lost by a crash is in the feed for the most part. */
const FLUSH_MS = 300_000;

/** What was heard of a device last. */
export interface DeviceState {
  /** Unix seconds when it was heard last: the time of a report, or its arrival where the device told none. */
  readonly seen: number;
  /** The engine by which it was heard. */
  readonly engine: string;
  /** The last report; absent until there was one. */
  readonly report?: DeviceReport | undefined;
}

/** The last report of a device. */
export interface DeviceReport {
  /** Unix seconds. */
  readonly time: number;
  /** Plain values; absent when they are too long to be kept. */
  readonly values?: unknown;
  readonly topic: string | null;
  readonly quality: string | null;
}

export type Labels = Readonly<Record<string, string>>;

/** Rising for ever; names are metric labels. */
export interface DeviceCounters {
  /** Devices dropped, those not heard for longest, since there was no room for all. */
  dropped: number;
}

export class Devices {
  readonly counters: DeviceCounters = { dropped: 0 };
  /** The one that was not heard for longest comes first. */
  private readonly states = new Map<string, DeviceState>();
  private readonly labels = new Map<string, Labels>();
  private readonly changed = new Set<string>();
  private readonly timer: NodeJS.Timeout;

  constructor(
    private readonly map: DurableMap,
    private readonly log: Logger,
    flushMs = FLUSH_MS,
  ) {
    const read: [string, DeviceState][] = [];
    for (const key of map.keys()) {
      try {
        const value = CBOR.decode(map.get(key)!);
        if (key.startsWith(STATE)) read.push([key.slice(STATE.length), value as DeviceState]);
        else this.labels.set(key.slice(LABELS.length), value as Labels);
      } catch (error) {
        log.error('a device cannot be read and is dropped', { key, reason: messageOf(error) });
        void map.delete(key);
      }
    }
    read.sort(([, a], [, b]) => a.seen - b.seen);
    for (const [device, state] of read) this.states.set(device, state);
    this.timer = setInterval(() => this.flush(), flushMs).unref();
  }

  /** How many are known. */
  get size(): number {
    return this.states.size;
  }

  /** Takes a report; those of long ago, which come late, change nothing. */
  readonly observe: ReportObserver = (
    { engine, at },
    [, device, time, , values, topic, quality]: ReportRecord,
  ) => {
    // A device whose clock is ahead has not been heard in the future.
    const seen = Math.min(time ?? at, at);
    const old = this.states.get(device);
    if (old && old.seen > seen && (old.report?.time ?? 0) > seen) return;
    this.put(device, {
      seen: Math.max(seen, old?.seen ?? 0),
      engine,
      report: { time: time ?? at, ...(left(values, MAX_VALUES_BYTES) >= 0 && { values }), topic, quality },
    });
  };

  /** A device is attached at an engine. */
  attached(device: string, engine: string): void {
    this.put(device, { ...this.states.get(device), seen: Date.now() / 1000, engine });
  }

  stateOf(device: string): DeviceState | undefined {
    return this.states.get(device);
  }

  labelsOf(device: string): Labels | undefined {
    return this.labels.get(device);
  }

  /** Whether anything is known of a device. */
  has(device: string): boolean {
    return this.states.has(device) || this.labels.has(device);
  }

  /** Ids of all that were heard or have labels. */
  *ids(): Generator<string> {
    yield* this.states.keys();
    for (const device of this.labels.keys()) if (!this.states.has(device)) yield device;
  }

  /**
   * Gives a device labels in place of those it has; resolves when they are on disk. Rejects with `invalid_argument`,
   * `queue_full` when there is no room, `overloaded` while the disk refuses.
   */
  async label(device: string, labels: Labels): Promise<void> {
    checkId(device);
    if (Object.keys(labels).length === 0) {
      this.labels.delete(device);
      await this.map.delete(LABELS + device);
      return;
    }
    const stored = this.write(LABELS + device, CBOR.encode(labels));
    if (!stored) throw new MoonwireError('queue_full', 'the store has no room for more labels');
    this.labels.set(device, labels);
    await stored;
  }

  /** Drops all that is known of a device; false when that is nothing. */
  async forget(device: string): Promise<boolean> {
    const known = this.has(device);
    this.labels.delete(device);
    this.states.delete(device);
    this.changed.delete(device);
    await Promise.all([this.map.delete(LABELS + device), this.map.delete(STATE + device)]);
    return known;
  }

  /** Ends; what has changed is written. */
  stop(): void {
    clearInterval(this.timer);
    this.flush();
  }

  private put(device: string, state: DeviceState): void {
    if (Buffer.byteLength(device) > MAX_ID_BYTES) return;
    this.states.delete(device);
    this.states.set(device, state);
    this.changed.add(device);
    if (this.states.size > this.map.maxBytes / LEAST_BYTES) this.dropOldest();
  }

  private flush(): void {
    for (const device of this.changed) {
      this.changed.delete(device);
      const state = this.states.get(device);
      if (state) this.write(STATE + device, CBOR.encode(state))?.catch(() => {});
    }
  }

  /** Writes an entry, for which others give way; undefined when there is no room all the same. */
  private write(key: string, value: Uint8Array): Promise<void> | undefined {
    for (;;) {
      try {
        return this.map.set(key, value);
      } catch (error) {
        if (!(error instanceof MoonwireError && error.code === 'too_large')) {
          this.log.warn('devices are not kept', { reason: messageOf(error) });
          return undefined;
        }
        if (!this.dropOldest()) return undefined;
      }
    }
  }

  private dropOldest(): boolean {
    let left = DROPPED_AT_ONCE;
    for (const device of this.states.keys()) {
      if (left-- === 0) break;
      this.counters.dropped++;
      this.states.delete(device);
      this.changed.delete(device);
      void this.map.delete(STATE + device);
    }
    return left < DROPPED_AT_ONCE;
  }
}

function checkId(device: string): void {
  const bytes = Buffer.byteLength(device);
  if (bytes < 1 || bytes > MAX_ID_BYTES) {
    throw new MoonwireError('invalid_argument', `a device id has 1 to ${MAX_ID_BYTES} bytes`);
  }
}

/** What is left of so many bytes after a value, about; negative when that is more. Ends early where it is much more. */
function left(value: unknown, bytes: number): number {
  if (typeof value === 'string') return bytes - value.length;
  if (typeof value !== 'object' || value === null) return bytes - 8;
  if (value instanceof Uint8Array) return bytes - value.length;
  let rest = bytes - 2;
  for (const [key, item] of value instanceof Map ? value : Object.entries(value)) {
    rest = left(item, rest - String(key).length);
    if (rest < 0) break;
  }
  return rest;
}
