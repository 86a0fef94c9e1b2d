/** A feed to deliver from, and sinks to deliver to. */

import { join } from 'node:path';
import type { Test } from 'tap';
import { cborCodec } from '../../src/codecs/cbor.js';
import { parseConfig } from '../../src/config/load.js';
import type { SinkConfig } from '../../src/config/schema.js';
import { type Logger, silentLogger } from '../../src/log.js';
import { SinkDelivery } from '../../src/sinks/delivery.js';
import { openSink } from '../../src/sinks/registry.js';
import type { Delivery, Sink } from '../../src/sinks/sink.js';
import { Sinks } from '../../src/sinks/sinks.js';
import { Feed } from '../../src/store/feed.js';
import { type KeyValue, MemoryKeyValue } from '../../src/store/keyvalue.js';
import type { FeedRecord, ReportRecord } from '../../src/store/reported.js';
import { openStore, type Store } from '../../src/store/store.js';

const CBOR = cborCodec();
export const EPOCH = 281_474_976_710_655;

/** The settings of one sink as a configuration file gives them, with short waits. */
export function sinkConfig(settings: object): SinkConfig {
  const sink = { retry: { minSeconds: 0.05, maxSeconds: 0.2 }, ...settings };
  const { config } = parseConfig(JSON.stringify({ sinks: [sink] }), 'test.yaml', { cwd: '/', env: {} });
  return config.sinks[0]!;
}

/** Report number `seq` of device `device-<seq % 10>`. */
export function report(seq: number, values: unknown = { n: seq }, topic: string | null = null): ReportRecord {
  return [seq, `device-${seq % 10}`, 1_800_000_000 + seq, seq, values, topic, null];
}

/** A record of the feed. */
export function feedRecord(records: readonly ReportRecord[]): Uint8Array {
  const record: FeedRecord = { n: 3, e: 'barn', ep: EPOCH, b: 'boot', at: Date.now() / 1000, r: records };
  return CBOR.encode(record);
}

export const idOf = (seq: number): string => `3-${EPOCH}-${seq}`;
export const idsTo = (count: number): string[] => Array.from({ length: count }, (_, i) => idOf(i + 1));

/** What a delivery is, as a sink would get it. */
export function delivery(seq: number, more: Partial<Delivery> = {}): Delivery {
  const [, device, time, , values, topic, quality] = report(seq);
  return {
    id: idOf(seq),
    engine: 'barn',
    node: 3,
    device,
    time: time!,
    values,
    topic,
    quality,
    received: 1_800_000_001,
    ...more,
  };
}

/** A feed in a folder of the test, with the reports that were put into it counted. */
export class TestFeed {
  feed!: Feed;
  readonly values: KeyValue = new MemoryKeyValue();
  readonly folder: string;
  private reports = 0;

  private constructor(
    private readonly t: Test,
    private readonly readers: readonly string[],
    private readonly maxBytes: number,
    readonly log: Logger,
  ) {
    this.folder = t.testdir();
  }

  static async open(
    t: Test,
    readers: readonly string[],
    { maxBytes = 2 ** 24, log = silentLogger }: { maxBytes?: number; log?: Logger } = {},
  ): Promise<TestFeed> {
    // Before the folder is made: tap removes folders before it calls what was set up after them.
    t.teardown(() => feed.feed.close());
    const feed = new TestFeed(t, readers, maxBytes, log);
    await feed.reopen();
    return feed;
  }

  /** Closes the feed and opens it again, as a new process would. */
  async reopen(): Promise<void> {
    await this.feed?.close();
    const { readers, values, maxBytes, log, folder } = this;
    const settings = { folder: join(folder, 'feed'), values, readers, maxBytes, maxAge: 86_400, log };
    this.feed = await Feed.open(settings);
  }

  /** Adds so many reports, in records of `each`; the sequences go on from 1. */
  add(count: number, each = 10): void {
    for (let left = count; left > 0; left -= each) {
      const records = Array.from({ length: Math.min(each, left) }, () => report(++this.reports));
      this.feed.append(feedRecord(records), records.length);
    }
  }

  /** Begins to deliver to a sink; ends with the test. */
  async deliver(settings: object, sink?: Sink): Promise<SinkDelivery> {
    const config = sinkConfig(settings);
    const letters = join(this.folder, 'dead', `${config.name}.jsonl`);
    const opened = sink ?? (await openSink(config));
    const delivery = new SinkDelivery(config, opened, this.feed, letters, this.log);
    this.t.teardown(() => delivery.close());
    delivery.start();
    return delivery;
  }
}

/** Waits for a condition; the test's own time-out ends it. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 10));
}

/** A sink that keeps what it gets; `react` may refuse or hold a batch. */
export class TestSink implements Sink {
  readonly batches: Delivery[][] = [];
  closed = 0;

  constructor(
    private readonly react: (batch: readonly Delivery[], signal: AbortSignal) => unknown = () => {},
  ) {}

  async deliver(batch: readonly Delivery[], signal: AbortSignal): Promise<void> {
    await this.react(batch, signal);
    this.batches.push([...batch]);
  }

  async close(): Promise<void> {
    this.closed++;
  }

  get ids(): string[] {
    return this.batches.flat().map(({ id }) => id);
  }
}

/** Begins to deliver from a feed in a store of its own, in the folder `path`, to `out.jsonl` there. */
export async function openFileDelivery(path: string): Promise<{ store: Store; feed: Feed; sinks: Sinks }> {
  const log = silentLogger;
  const store = await openStore({ path, log });
  const config = sinkConfig({ file: { path: join(path, 'out.jsonl') }, batch: { records: 20 } });
  const values = store.part('feed');
  const limits = { maxBytes: 2 ** 24, maxAge: 86_400 };
  const feed = await Feed.open({ folder: join(path, 'feed'), values, readers: ['file'], log, ...limits });
  return { store, feed, sinks: await Sinks.start([config], feed, join(path, 'dead'), log) };
}
