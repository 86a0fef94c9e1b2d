/** TLS handshakes of several servers, which are bounded together. */
export class HandshakePool {
  private underWay = 0;
  private pending = 0;
  /** Servers where one waits for its turn. */
  private readonly waiting = new Set<() => void>();

  /** `handshakes`: most under way; `pendingHandshakes`: most that are not over, those that wait among them. */
  constructor(private readonly limits: { readonly handshakes: number; readonly pendingHandshakes: number }) {}

  /** Takes in a connection whose handshake is to come; false: there are too many. */
  enter(): boolean {
    if (this.pending >= this.limits.pendingHandshakes) return false;
    this.pending++;
    return true;
  }

  /** Whether the next handshake has to wait. */
  get full(): boolean {
    return this.underWay >= this.limits.handshakes;
  }

  /** Begins a handshake; false: too many are under way, and `again` is called when another one is over. */
  begin(again: () => void): boolean {
    if (this.full) {
      this.waiting.add(again);
      return false;
    }
    this.underWay++;
    return true;
  }

  /** One that entered is over; `begun`: it had begun. */
  leave(begun: boolean): void {
    this.pending--;
    if (!begun) return;
    this.underWay--;
    const waiting = [...this.waiting];
    this.waiting.clear();
    for (const again of waiting) again();
  }
}
