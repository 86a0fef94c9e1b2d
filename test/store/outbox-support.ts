import { silentLogger } from '../../src/log.js';
import { Clock, type TimeSource } from '../../src/store/clock.js';
import { MemoryKeyValue } from '../../src/store/keyvalue.js';
import { Outbox } from '../../src/store/outbox.js';
import type { OutboxOptions } from '../../src/store/outbox-options.js';
import type { Lane, Ranges, ReportBatch, ReportRecord, ReportTaker } from '../../src/store/reported.js';

export type OutboxTestOptions = Partial<OutboxOptions>;

/** An outbox that spills soon and drains fast. */
export function openOutbox(folder: string | undefined, options: OutboxTestOptions = {}): Promise<Outbox> {
  return Outbox.open({
    folder,
    log: silentLogger,
    maxBytes: 16 * 2 ** 20,
    maxAge: 7 * 86_400,
    spillDelay: 0.05,
    drainRate: 1_000_000,
    maxReportBytes: 64 * 1024,
    urgentTopics: ['alarm'],
    memoryBytes: 8 * 2 ** 20,
    retryMs: 5,
    clock: new Clock(new MemoryKeyValue()),
    ...options,
  });
}

/** A clock that a test sets. */
export class TestTime implements TimeSource {
  /** Seconds added to the system's wall clock. */
  ahead = 0;
  constructor(
    readonly boot: string,
    private readonly zero = process.hrtime.bigint(),
  ) {}
  monotonic = (): number => 1000 + Number(process.hrtime.bigint() - this.zero) / 1e9;
  wall = (): number => Date.now() / 1000 + this.ahead;
}

/** Takes reports, and acknowledges them at once, or when it is told to. */
export class TestTaker implements ReportTaker {
  readonly batches: { lane: Lane; batch: ReportBatch }[] = [];
  /** How often each report was offered, by "epoch:seq". */
  readonly times = new Map<string, number>();
  accepts: Record<Lane, boolean> = { live: true, backlog: true };
  acknowledges = true;

  constructor(private readonly outbox: Outbox) {}

  offer(lane: Lane, batch: ReportBatch): boolean {
    if (!this.accepts[lane]) return false;
    this.batches.push({ lane, batch });
    for (const [seq] of batch.records) {
      const key = `${batch.epoch}:${seq}`;
      this.times.set(key, (this.times.get(key) ?? 0) + 1);
    }
    if (this.acknowledges) setImmediate(() => this.acknowledge(batch));
    return true;
  }

  acknowledge({ epoch, records }: ReportBatch): void {
    this.outbox.acknowledged(epoch, rangesOf(records));
  }

  /** All records of a lane, in the order they were offered. */
  records(lane?: Lane): ReportRecord[] {
    return this.batches.flatMap((item) => (lane && item.lane !== lane ? [] : item.batch.records));
  }

  devices(lane?: Lane): string[] {
    return this.records(lane).map(([, device]) => device);
  }
}

export function rangesOf(records: readonly ReportRecord[]): Ranges {
  return records.map(([seq]) => [seq, seq] as const);
}

export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}
