/** What devices report, as it is kept and as it travels (design §9 "Reports and repeats"). */

/** Longest device id, topic and quality in characters. */
export const MAX_REPORT_TEXT = 256;
/** Most bytes of CBOR that the records of one batch have together. */
export const MAX_BATCH_BYTES = 256 * 1024;

/** One reading. `seq` counts from 1 in each epoch. */
export type ReportRecord = readonly [
  seq: number,
  device: string,
  /** Unix seconds; null while the clock was not set. */
  time: number | null,
  /** Seconds of the monotonic clock of that boot. */
  mono: number,
  values: unknown,
  topic: string | null,
  quality: string | null,
];

/** Records of one epoch, rising. Whose they are is known from the session they come by. */
export interface ReportBatch {
  /** 48 random bits, drawn at every start of an engine. */
  readonly epoch: number;
  /** Which boot of the machine `mono` counts in. */
  readonly boot: string;
  readonly records: readonly ReportRecord[];
}

/** Sequences, both ends included: ascending, none touching the next. */
export type Ranges = readonly (readonly [first: number, last: number])[];

/** Reports that have just happened, and those that waited. */
export type Lane = 'live' | 'backlog';

/** Takes what an outbox holds. */
export interface ReportTaker {
  /**
   * Offers a batch; false: no more can be taken on that lane now, `ready` will tell. The outbox keeps everything
   * until it is acknowledged.
   */
  offer(lane: Lane, batch: ReportBatch): boolean;
}

/** Gives what it holds to whoever takes it: an outbox. */
export interface ReportSource {
  /** Offers to `taker` from now on; undefined: to nobody, and what was not acknowledged waits. */
  connect(taker: ReportTaker | undefined): void;
  /** The taker may have room on a lane again. */
  ready(lane: Lane): void;
  /** These are safe elsewhere. Anything may come here: what was never offered too. */
  acknowledged(epoch: number, ranges: Ranges): void;
}

/**
 * A record of the feed, which is CBOR: new reports of one batch. Records without `r` are notes of the intake, which
 * other readers pass over.
 */
export interface FeedRecord {
  /** Node number; 0 for an engine that never had one. */
  readonly n: number;
  /** Name of the engine. */
  readonly e: string;
  /** Epoch, boot id, Unix seconds of the arrival, and the reports. */
  readonly ep: number;
  readonly b: string;
  readonly at: number;
  readonly r: readonly ReportRecord[];
}
