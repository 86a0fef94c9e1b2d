/** What a sink is, and what it is given. */

/** One report. */
export interface Delivery {
  /** `node-epoch-seq`: the same however often the report comes. */
  readonly id: string;
  /** Name and node number of the engine it comes from. */
  readonly engine: string;
  readonly node: number;
  readonly device: string;
  /** Unix seconds; when the engine never knew the time, that of the arrival. */
  readonly time: number;
  /** As the script gave them; byte strings are Uint8Arrays. */
  readonly values: unknown;
  readonly topic: string | null;
  readonly quality: string | null;
  /** Unix seconds of its arrival at the centre. */
  readonly received: number;
}

/** Somewhere to deliver to. It connects when it has something to deliver, and again after a failure. */
export interface Sink {
  /**
   * Delivers a batch and resolves once all of it is safe there. Calls come one after the other. Rejects with
   * {@link Rejected} when the receiver is there and refuses reports for what they are, and with any other error
   * when it cannot be told that all of them arrived: the batch is delivered again. Once `signal` is aborted it
   * gives up soon, whatever it waits for.
   */
  deliver(batch: readonly Delivery[], signal: AbortSignal): Promise<void>;
  /** Ends connections and closes files. Never fails. */
  close(): Promise<void>;
}

/** The receiver refuses reports for what they are; another time it would refuse them too. */
export class Rejected extends Error {
  override readonly name = 'Rejected';

  /**
   * `indexes`: the reports of the batch that were refused, the others having been taken; without it none was taken,
   * and which of them is to blame is not known. `final`: there is no use in offering the same once more.
   */
  constructor(
    message: string,
    readonly indexes?: readonly number[],
    readonly final = false,
  ) {
    super(message);
  }
}

/** The receiver wants no more for so many seconds. */
export class Busy extends Error {
  override readonly name = 'Busy';

  constructor(
    message: string,
    readonly seconds: number,
  ) {
    super(message);
  }
}
