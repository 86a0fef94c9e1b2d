/** The streams over which engines report, as the centre sees them: each batch is answered once it is safe. */

import { MoonwireError, messageOf } from '../errors.js';
import { type Logger, LogThrottle } from '../log.js';
import { MuxError, type MuxStream } from '../mux/index.js';
import type { Ranges, ReportBatch } from '../store/reported.js';
import { type MessageCounters, MessageStream } from '../uplink/message-stream.js';
import { MAX_REC_BYTES } from '../uplink/messages.js';

/** An engine as far as its reports are concerned. */
export interface Reporter {
  readonly node: number;
  readonly name: string;
}

/** `Intake.take`. */
export type TakeReports = (node: number, engine: string, batch: ReportBatch) => Promise<Ranges>;

/** One for live reports and one for the backlog; during a reconnection the old ones too. */
const MAX_STREAMS = 4;
/** Batches under way on one stream; an engine that keeps to its window has far fewer. */
const MAX_BATCHES = 64;
/** Acknowledgements that may wait for an engine to read them. */
const MAX_PENDING_BYTES = 1024 * 1024;

/** All such streams of a centre. */
export class ReportStreams {
  /** Streams refused because an engine has too many, and ended for sending too much at a time. */
  readonly counters = { refused: 0, flooded: 0 };
  private readonly open = new Map<Reporter, number>();
  private readonly throttle = new LogThrottle();

  constructor(
    private readonly take: TakeReports,
    private readonly log: Logger,
    private readonly messages: MessageCounters,
  ) {}

  /** Takes a stream that an engine has opened. */
  serve(engine: Reporter, stream: MuxStream): void {
    const streams = (this.open.get(engine) ?? 0) + 1;
    if (streams > MAX_STREAMS) {
      this.counters.refused++;
      stream.on('error', () => {}).reset('stream_refused');
      return;
    }
    this.open.set(engine, streams);
    stream.once('close', () => this.closed(engine));
    const messages = new MessageStream(stream, {
      maxMessageBytes: MAX_REC_BYTES,
      maxPendingBytes: MAX_PENDING_BYTES,
      counters: this.messages,
    });
    let batches = 0;
    messages.onclose = (error) => {
      // That a session ended is told where it ends.
      const isBroken = error && !(error instanceof MuxError && error.code !== 'protocol');
      if (isBroken) this.report(engine, 'the stream of reports ended', error);
    };
    messages.onmessage = (message) => {
      if (message.t !== 'rec') {
        messages.refuse(message);
        return;
      }
      if (batches === MAX_BATCHES) {
        this.counters.flooded++;
        throw new MoonwireError('rate_limited', `more than ${MAX_BATCHES} batches of reports at a time`);
      }
      batches++;
      const { epoch, boot, r } = message;
      this.take(engine.node, engine.name, { epoch, boot, records: r })
        .then(
          (ranges) => void messages.send({ t: 'ack', epoch, ranges }),
          (error: unknown) => {
            this.report(engine, 'reports could not be taken', error);
            // The engine keeps them, and begins anew after a while.
            messages.reset(messageOf(error));
          },
        )
        .finally(() => batches--);
    };
  }

  private closed(engine: Reporter): void {
    const left = this.open.get(engine)! - 1;
    if (left > 0) this.open.set(engine, left);
    else this.open.delete(engine);
  }

  private report(engine: Reporter, message: string, error: unknown): void {
    const suppressed = this.throttle.pass(engine.name);
    if (suppressed < 0) return;
    const fields = { engine: engine.name, reason: messageOf(error) };
    this.log.warn(message, { ...fields, ...(suppressed > 0 && { suppressed }) });
  }
}
