/** Reads reports from the feed for one sink, and notes how far it has come. */

import { cborCodec } from '../codecs/cbor.js';
import { messageOf } from '../errors.js';
import { type Logger, LogThrottle } from '../log.js';
import type { Feed, FeedEntry } from '../store/feed.js';
import type { FeedRecord } from '../store/reported.js';
import type { Delivery } from './sink.js';

/** How much is taken at once. */
export interface BatchLimits {
  readonly records: number;
  /** Bytes as they are in the feed, about. */
  readonly bytes: number;
  /** Seconds to wait for more. */
  readonly delay: number;
}

/** What is to be delivered next. */
export interface Batch {
  /** May be empty, when all of it was for others. */
  readonly deliveries: Delivery[];
  /** To be called when that is done; the feed writes it down by and by. */
  done(): void;
}

/** A report of the feed, with its place; or several that are not to be delivered. */
interface Item {
  /** Undefined for what the sink is not to have, and for what cannot be read. */
  readonly delivery: Delivery | undefined;
  /** How many it is. */
  readonly reports: number;
  /** Position of its record, and how many reports stand before it there. */
  readonly position: number;
  readonly index: number;
  readonly bytes: number;
}

const CBOR = cborCodec();
/** Read from disk at a time. */
const WINDOW_BYTES = 256 * 1024;

export class FeedReader {
  /** Reports left out by the filter, and reports that could not be read. */
  readonly counters = { filtered: 0, unreadable: 0 };
  private readonly cursor;
  private items: Item[] = [];
  /** Where to read on. */
  private next: number;
  private readonly throttle = new LogThrottle(60_000);

  constructor(
    private readonly feed: Feed,
    reader: string,
    private readonly isWanted: (delivery: Delivery) => boolean,
    private readonly log: Logger,
  ) {
    this.cursor = feed.cursor(reader);
    this.next = this.cursor.position;
  }

  /** When the report arrived that is to be taken next, in Unix seconds; undefined when none is known. */
  get oldest(): number | undefined {
    return this.items.find(({ delivery }) => delivery)?.delivery?.received;
  }

  /** Waits for reports and takes some; undefined once `signal` is aborted. Rejects when the feed cannot be read now. */
  async take(limits: BatchLimits, signal: AbortSignal): Promise<Batch | undefined> {
    await this.fill(limits);
    if (this.items.length === 0) {
      // Nothing but the feed's own notes: they are done with.
      if (this.next > this.cursor.position) this.pass([]);
      await this.feed.appended(this.next, signal);
      await this.fill(limits);
    }
    if (limits.delay > 0 && this.count(limits) === this.items.length) await this.linger(limits, signal);
    if (signal.aborted) return undefined;
    const taken = this.items.slice(0, this.count(limits));
    return { deliveries: taken.flatMap(({ delivery }) => delivery ?? []), done: () => this.pass(taken) };
  }

  /** Reads until there is enough for a batch, or no more. */
  private async fill(limits: BatchLimits): Promise<void> {
    const { position } = this.cursor;
    // What the feed has given up meanwhile is not delivered any more.
    if (this.items.length > 0 && this.items[0]!.position < position) {
      this.items = this.items.filter((item) => item.position >= position);
    }
    this.next = Math.max(this.next, position);
    while (this.count(limits) === this.items.length) {
      const { records, next } = await this.feed.read(this.next, WINDOW_BYTES);
      this.next = next;
      if (records.length === 0) return;
      for (const entry of records) this.add(entry);
    }
  }

  /** How many of the items make a batch; all of them when more would fit. */
  private count({ records, bytes }: BatchLimits): number {
    let sum = 0;
    for (let i = 0; i < this.items.length; i++) {
      sum += this.items[i]!.bytes;
      if (i >= records || (sum > bytes && i > 0)) return i;
    }
    return this.items.length;
  }

  /** Waits for more until there is enough, or for as long as may be. */
  private async linger(limits: BatchLimits, signal: AbortSignal): Promise<void> {
    const until = new AbortController();
    const stop = (): void => until.abort();
    const timer = setTimeout(stop, limits.delay * 1000);
    signal.addEventListener('abort', stop);
    try {
      while (!until.signal.aborted && this.count(limits) === this.items.length) {
        await this.feed.appended(this.next, until.signal);
        await this.fill(limits);
      }
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
    }
  }

  private add(entry: FeedEntry): void {
    const { position, payload, reports } = entry;
    let deliveries: Delivery[];
    try {
      deliveries = deliveriesOf(CBOR.decode(payload) as Partial<FeedRecord>);
    } catch (error) {
      this.counters.unreadable += reports;
      this.items.push({ delivery: undefined, reports, position, index: 0, bytes: 0 });
      if (this.throttle.pass('unreadable') >= 0) {
        this.log.error('a record of the feed cannot be read', { position, reason: messageOf(error) });
      }
      return;
    }
    const skip = position === this.cursor.position ? this.cursor.skip : 0;
    const bytes = payload.length / Math.max(1, deliveries.length);
    for (let index = skip; index < deliveries.length; index++) {
      const delivery = deliveries[index]!;
      const wanted = this.isWanted(delivery);
      if (!wanted) this.counters.filtered++;
      this.items.push({ delivery: wanted ? delivery : undefined, reports: 1, position, index, bytes });
    }
  }

  /** These items, the first ones, are done with. */
  private pass(taken: readonly Item[]): void {
    this.items.splice(0, taken.length);
    const [head] = this.items;
    // What the feed has given up while it was being delivered is not among what it counts any more.
    const counted = taken.filter(({ position }) => position >= this.cursor.position);
    const reports = counted.reduce((sum, item) => sum + item.reports, 0);
    void this.cursor.advance(head?.position ?? this.next, head?.index ?? 0, reports);
  }
}

function deliveriesOf({
  n: node = 0,
  e: engine = '',
  ep: epoch,
  at = 0,
  r = [],
}: Partial<FeedRecord>): Delivery[] {
  return r.map(([seq, device, time, , values, topic, quality]) => ({
    id: `${node}-${epoch}-${seq}`,
    engine,
    node,
    device,
    time: time ?? at,
    values,
    topic,
    quality,
    received: at,
  }));
}
