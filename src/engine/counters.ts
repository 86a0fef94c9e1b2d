/** What happened at one server or link since it started: every number rises for ever; names are metric labels. */
export class Counters {
  /** Clients that were served, and clients whose connection ended. */
  opened = 0;
  closed = 0;
  bytesIn = 0;
  bytesOut = 0;
  /** Frames cut from the stream, and messages decoded from them. */
  frames = 0;
  messages = 0;
  /** Messages sent to clients. */
  sends = 0;
  /** Frames that did not decode. */
  decodeErrors = 0;
  /** Handlers that ended in an error, and those stopped for using more than their budget. */
  scriptErrors = 0;
  budgetExceeded = 0;
  /** Restarts of the script for the memory it kept. */
  scriptRestarts = 0;
  /** Sends refused because the client's send buffer was full, and messages dropped from it for newer ones. */
  sendsRefused = 0;
  sendsDropped = 0;
  /** Messages beyond a client's rate: made to wait for their time, dropped. */
  messagesDelayed = 0;
  messagesDropped = 0;
  /** Clients closed for silence, for not taking what is sent, for a full send buffer, too many messages, too long a frame. */
  closedIdle = 0;
  closedStalled = 0;
  closedOverflow = 0;
  closedRate = 0;
  closedOversize = 0;
  /** Bytes that may have come, at most, while a serial port was closed for a restart. */
  bytesAtRisk = 0;
  /** Received bytes that belonged to no frame, by reason. */
  readonly discarded: Record<string, number> = {};

  discard(reason: string, bytes: number): void {
    this.discarded[reason] = (this.discarded[reason] ?? 0) + bytes;
  }
}
