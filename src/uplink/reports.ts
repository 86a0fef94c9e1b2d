/** The engine's reports on their way to the centre: one stream for what happens now, one for what has waited. */

import { messageOf } from '../errors.js';
import { type Logger, LogThrottle } from '../log.js';
import type { MuxStream } from '../mux/index.js';
import { RangeSet } from '../store/ranges.js';
import type { Lane, ReportBatch, ReportSource, ReportTaker } from '../store/reported.js';
import { type RetryOptions, retryDelay } from '../transports/keepopen.js';
import type { MessageCounters } from './message-stream.js';
import { type LaneCounters, ReportLane } from './report-lane.js';

/** Rising for ever; names are metric labels. */
export interface ReportsCounters extends LaneCounters {
  /** Times the centre ended a stream of reports while the uplink stood. */
  broken: number;
  /** Reports dropped, since no message can carry them. */
  unsendable: number;
}

/** A centre that cannot take reports, with a full disk for instance, is asked again after this. */
const RETRY: RetryOptions = { minSeconds: 1, maxSeconds: 60, stableSeconds: 0 };

/** Carries reports over whichever session is joined. */
export class UplinkReports implements ReportTaker {
  readonly counters: ReportsCounters = { sent: 0, strayAcks: 0, broken: 0, unsendable: 0 };

  private open: (() => MuxStream) | undefined;
  private lanes: Readonly<Record<Lane, ReportLane>> | undefined;
  private attempt = 0;
  private timer: NodeJS.Timeout | undefined;
  private readonly throttle = new LogThrottle(60_000);

  constructor(
    private readonly source: ReportSource,
    private readonly log: Logger,
    private readonly messages: MessageCounters,
    private readonly retry: RetryOptions = RETRY,
  ) {}

  /** The uplink has joined; `open` opens a stream of type reports. */
  up(open: () => MuxStream): void {
    this.down();
    this.attempt = 0;
    this.open = open;
    this.begin();
  }

  /** The uplink has ended. */
  down(): void {
    this.open = undefined;
    clearTimeout(this.timer);
    this.end();
  }

  offer(lane: Lane, batch: ReportBatch): boolean {
    try {
      return this.lanes?.[lane].send(batch) ?? false;
    } catch (error) {
      // Never to be, but if it is: one batch must not keep all others.
      const reports = RangeSet.from(
        batch.records.map(([sequence]) => [sequence, sequence]),
        Number.POSITIVE_INFINITY,
      );
      this.counters.unsendable += batch.records.length;
      this.log.error('reports that cannot be sent are dropped', {
        reports: batch.records.length,
        reason: messageOf(error),
      });
      queueMicrotask(() => this.source.acknowledged(batch.epoch, reports.toJSON()));
      return true;
    }
  }

  private begin(): void {
    const { open } = this;
    if (!open) return;
    try {
      const live = this.lane('live', open());
      this.lanes = { live, backlog: this.lane('backlog', open()) };
    } catch (error) {
      this.broke(error);
      return;
    }
    this.source.connect(this);
  }

  private lane(lane: Lane, stream: MuxStream): ReportLane {
    const own: ReportLane = new ReportLane(
      stream,
      this.counters,
      {
        acknowledged: ({ epoch, ranges }) => {
          this.attempt = 0;
          this.source.acknowledged(epoch, ranges);
          if (this.lanes?.[lane] === own) this.source.ready(lane);
        },
        ended: (error) => {
          // A stream that ends as its session does is told by `down`, in the same moment.
          if (this.lanes?.[lane] === own) this.broke(error ?? 'the centre ended it');
        },
      },
      this.messages,
    );
    return own;
  }

  /** A stream ended: both begin anew after a while, since which reports are under way is told for both. */
  private broke(reason: unknown): void {
    this.end();
    clearTimeout(this.timer);
    const delayMs = 1000 * retryDelay(this.attempt++, this.retry, Math.random());
    // Told only then: mostly the whole session has ended, which others tell.
    this.timer = setTimeout(() => {
      this.counters.broken++;
      const suppressed = this.throttle.pass('');
      if (suppressed >= 0)
        this.log.warn('the centre takes no reports', { reason: messageOf(reason), suppressed });
      this.begin();
    }, delayMs).unref();
  }

  private end(): void {
    const { lanes } = this;
    if (!lanes) return;
    this.lanes = undefined;
    this.source.connect(undefined);
    lanes.live.close();
    lanes.backlog.close();
  }
}
