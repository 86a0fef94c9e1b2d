/** Bytes that wait for all clients of an engine together. */
export class PendingBytes {
  /** Counted when they are sent, and until they have left. */
  bytes = 0;
  /** Sends that found no room: rises for ever. */
  refused = 0;

  constructor(
    private readonly limits: { readonly pendingBytes: number },
    private readonly clients: { readonly size: number },
  ) {}

  /** How many may wait. */
  get limit(): number {
    return this.limits.pendingBytes;
  }

  /**
   * Whether a client for which `own` bytes wait may be sent `more`. When all together have too many, those that have
   * less than their equal share still may: peers that do not read take nothing from those that do. So at most twice
   * `limit` waits.
   */
  allows(own: number, more: number): boolean {
    return this.bytes + more <= this.limit || own + more <= this.limit / Math.max(1, this.clients.size);
  }
}
