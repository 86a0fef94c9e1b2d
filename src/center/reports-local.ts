/** Reports of an engine that has no centre: its own process takes them in. */

import { messageOf } from '../errors.js';
import { type Logger, LogThrottle } from '../log.js';
import type { Lane, ReportBatch, ReportSource, ReportTaker } from '../store/reported.js';
import type { Intake } from './reports.js';

/** Batches under way: enough to share one write to disk. */
const MAX_BATCHES = 16;
/** Milliseconds until reports that could not be taken are offered again. */
const RETRY_MS = 1000;

/** Connects an outbox and an intake. */
export class LocalReports implements ReportTaker {
  private batches = 0;
  private timer: NodeJS.Timeout | undefined;
  private stopped = false;
  /** Counts connections: what was taken over an older one says nothing of the present. */
  private connection = 0;
  private readonly throttle = new LogThrottle(60_000);

  constructor(
    private readonly source: ReportSource,
    private readonly intake: Pick<Intake, 'take'>,
    private readonly engine: { readonly node: number; readonly name: string },
    private readonly log: Logger,
  ) {
    this.begin();
  }

  offer(_lane: Lane, batch: ReportBatch): boolean {
    if (this.batches >= MAX_BATCHES) return false;
    this.batches++;
    const { connection } = this;
    const { node, name } = this.engine;
    this.intake.take(node, name, batch).then(
      (ranges) => {
        if (connection !== this.connection) return;
        this.batches--;
        this.source.acknowledged(batch.epoch, ranges);
        this.source.ready('live');
        this.source.ready('backlog');
      },
      (error: unknown) => {
        if (connection === this.connection) this.wait(error);
      },
    );
    return true;
  }

  /** Takes no more; what was not acknowledged stays where it is. */
  stop(): void {
    this.stopped = true;
    this.end();
  }

  private begin(): void {
    this.batches = 0;
    this.source.connect(this);
  }

  private end(): void {
    clearTimeout(this.timer);
    this.connection++;
    this.source.connect(undefined);
  }

  private wait(error: unknown): void {
    this.end();
    if (this.stopped) return;
    const suppressed = this.throttle.pass('');
    if (suppressed >= 0)
      this.log.warn('reports cannot be taken in', { reason: messageOf(error), suppressed });
    this.timer = setTimeout(() => this.begin(), RETRY_MS).unref();
  }
}
