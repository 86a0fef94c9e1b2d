/** What a session counts: above all, everything it drops. */

/** Counters of a session, rising for ever; names are metric labels. */
export interface SessionCounters {
  /** Streams opened here, and by the peer (those refused not included). */
  opened: number;
  accepted: number;
  /** RST frames sent for streams that were open, and received for such. */
  resetsSent: number;
  resetsReceived: number;
  /** SYNs refused: after GOAWAY or beyond `maxStreams`, and because the backlog was full. */
  refused: number;
  backlogFull: number;
  /** Payload bytes dropped: the stream was unknown, refused, reset or destroyed. */
  droppedBytes: number;
  /** RST and WNDINC frames for unknown streams, and DATA frames answered with RST for that reason. */
  strayControl: number;
  strayData: number;
  /** Frames of unknown types. */
  skippedFrames: number;
}

/** The counters the session itself keeps, at their beginning; skipped frames are counted by its decoder. */
export function newCounters(): Omit<SessionCounters, 'skippedFrames'> {
  return {
    opened: 0,
    accepted: 0,
    resetsSent: 0,
    resetsReceived: 0,
    refused: 0,
    backlogFull: 0,
    droppedBytes: 0,
    strayControl: 0,
    strayData: 0,
  };
}
