/**
 * Takes away what a two-wire adapter returns of our own bytes. `auto` finds out: bytes that equal what was sent are
 * held back; when more follow, they were an echo, and from then on the adapter is known to have one. When nothing
 * follows they were the reply itself (Modbus answers a write with its repetition), and it has none.
 */
export class Echo {
  /** Bytes taken away so far. */
  bytes = 0;
  /** Sent bytes that may come back; undefined once it is decided what came. */
  private expected: Uint8Array | undefined;
  private matched = 0;
  private known: boolean | undefined;

  constructor(mode: 'auto' | 'on' | 'off') {
    this.known = mode === 'auto' ? undefined : mode === 'on';
  }

  /** Whether the adapter has one; undefined while that is not known. */
  get present(): boolean | undefined {
    return this.known;
  }

  /** These bytes are sent. */
  sent(bytes: Uint8Array): void {
    this.matched = 0;
    this.expected = this.known === false || bytes.length === 0 ? undefined : bytes;
  }

  /** What of the received bytes was not ours. */
  receive(bytes: Uint8Array): Uint8Array {
    const { expected } = this;
    if (!expected) return bytes;
    let used = 0;
    while (used < bytes.length && this.matched < expected.length) {
      if (bytes[used] !== expected[this.matched]) return this.differs(bytes.subarray(used));
      used++;
      this.matched++;
    }
    if (this.matched < expected.length) return bytes.subarray(used);
    if (this.known === undefined && used === bytes.length) return bytes.subarray(used);
    this.known = true;
    this.bytes += expected.length;
    this.expected = undefined;
    return bytes.subarray(used);
  }

  /** Nothing more comes: what was held back, which was no echo. */
  release(): Uint8Array | undefined {
    const held =
      this.matched > 0 && this.known === undefined ? this.expected?.subarray(0, this.matched) : undefined;
    this.expected = undefined;
    if (held) this.known = false;
    return held;
  }

  /** What came is not what was sent: the bytes that were taken for it belong to what follows. */
  private differs(rest: Uint8Array): Uint8Array {
    const held = this.expected!.subarray(0, this.matched);
    this.expected = undefined;
    if (this.known === undefined) this.known = false;
    if (held.length === 0) return rest;
    const whole = new Uint8Array(held.length + rest.length);
    whole.set(held);
    whole.set(rest, held.length);
    return whole;
  }
}
