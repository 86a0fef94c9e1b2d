/** The last frames of a server or link, all its clients together: a ring of excerpts that never grows. */

/** Frames kept, and bytes kept of each. */
const FRAMES = 512;
const EXCERPT = 64;

/** A frame as it was kept. */
export interface RecentFrame {
  /** Seconds ago. */
  readonly age: number;
  readonly direction: 'in' | 'out';
  /** Its bytes, or the first of them. */
  readonly hex: string;
  /** Its whole length in bytes. */
  readonly length: number;
}

/** The frames of a ring, for another one. */
export interface SavedFrames {
  readonly bytes: Uint8Array;
  readonly clients: Float64Array;
  readonly ages: Float64Array;
  readonly lengths: Uint32Array;
  readonly outgoing: Uint8Array;
  readonly next: number;
}

export class RecentFrames {
  private readonly bytes = Buffer.alloc(FRAMES * EXCERPT);
  private readonly clients = new Float64Array(FRAMES);
  private readonly times = new Float64Array(FRAMES);
  private readonly lengths = new Uint32Array(FRAMES);
  private readonly outgoing = new Uint8Array(FRAMES);
  private next = 0;

  /** Keeps a frame of a client; `now` as of `performance.now()`. */
  add(client: number, outgoing: boolean, frame: Uint8Array, now: number): void {
    const at = this.next;
    this.next = (at + 1) % FRAMES;
    this.clients[at] = client;
    this.times[at] = now;
    this.lengths[at] = frame.length;
    this.outgoing[at] = outgoing ? 1 : 0;
    this.bytes.set(frame.length > EXCERPT ? frame.subarray(0, EXCERPT) : frame, at * EXCERPT);
  }

  /** Those that came and are kept whole, with their clients, the newest last. */
  *received(): Generator<{ client: number; frame: Uint8Array }> {
    for (let i = 0; i < FRAMES; i++) {
      const at = (this.next + i) % FRAMES;
      const length = this.lengths[at]!;
      if (length === 0 || length > EXCERPT || this.outgoing[at] === 1) continue;
      // A copy: other frames come while these are looked at.
      yield {
        client: this.clients[at]!,
        frame: Uint8Array.from(this.bytes.subarray(at * EXCERPT, at * EXCERPT + length)),
      };
    }
  }

  /** Those of one client, the newest last. */
  of(client: number, now = performance.now()): RecentFrame[] {
    const found: RecentFrame[] = [];
    for (let i = 0; i < FRAMES; i++) {
      const at = (this.next + i) % FRAMES;
      if (this.clients[at] !== client || this.lengths[at] === 0) continue;
      const length = this.lengths[at]!;
      const start = at * EXCERPT;
      found.push({
        age: (now - this.times[at]!) / 1000,
        direction: this.outgoing[at] === 1 ? 'out' : 'in',
        hex: this.bytes.toString('hex', start, start + Math.min(length, EXCERPT)),
        length,
      });
    }
    return found;
  }

  /** All of them as plain data, which shares memory with them; times are ages in milliseconds. */
  save(now = performance.now()): SavedFrames {
    const { bytes, clients, lengths, outgoing, next } = this;
    return { bytes, clients, lengths, outgoing, next, ages: this.times.map((time) => now - time) };
  }

  /** Goes on from what another one has kept. */
  restore(saved: SavedFrames, now = performance.now()): void {
    if (saved.bytes.length !== this.bytes.length) return;
    this.bytes.set(saved.bytes);
    this.clients.set(saved.clients);
    this.lengths.set(saved.lengths);
    this.outgoing.set(saved.outgoing);
    this.times.set(saved.ages.map((age) => now - age));
    this.next = saved.next;
  }
}
